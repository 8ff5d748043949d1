// First-in first-out queue of registers, first word falls through.
// Latency 1 cycle, throughput 1 word per cycle. DEPTH is a power of two.
`default_nettype none

module fifo #(
  parameter int WIDTH = 8,
  parameter int DEPTH = 16
) (
  input  wire logic             clk_i,
  input  wire logic             rst_i,
  input  wire logic             valid_i,
  output logic                  ready_o,
  input  wire logic [WIDTH-1:0] data_i,
  output logic                  valid_o,
  input  wire logic             ready_i,
  output logic [WIDTH-1:0]      data_o
);
  localparam int AW = $clog2(DEPTH);

  logic [WIDTH-1:0] mem [DEPTH];
  logic [AW:0] head, tail;  // one bit more than the address tells full from empty

  assign ready_o = (tail - head) != (AW + 1)'(DEPTH);
  assign valid_o = tail != head;
  assign data_o  = mem[head[AW-1:0]];

  always_ff @(posedge clk_i) begin
    if (valid_i && ready_o) begin
      mem[tail[AW-1:0]] <= data_i;
      tail <= tail + 1'b1;
    end
    if (valid_o && ready_i) head <= head + 1'b1;
    if (rst_i) begin
      head <= '0;
      tail <= '0;
    end
  end
endmodule

`default_nettype wire
