// Cuts a request (offset, number of beats) into AXI bursts that never cross a multiple of MAX_BURST
// beats, hence no 4 KB boundary (MAX_BURST * 16 bytes divides 4096), and refuses a request that is
// empty or leaves the window. Latency 1 cycle, throughput one burst per cycle.
`default_nettype none

module burst_splitter #(
  parameter int MAX_BURST = 64
) (
  input  wire logic        clk_i,
  input  wire logic        rst_i,
  input  wire logic [31:0] window_i,      // beats
  input  wire logic        req_valid_i,
  output logic             req_ready_o,
  input  wire logic [31:0] req_offset_i,  // beats
  input  wire logic [31:0] req_beats_i,
  output logic             burst_valid_o,
  input  wire logic        burst_ready_i,
  output logic [31:0]      burst_offset_o,
  output logic [7:0]       burst_len_o,   // beats - 1, as AXI has it
  output logic             error_o        // a request was refused (one cycle)
);
  localparam int LB = $clog2(MAX_BURST);

  logic [31:0] offset, left;
  logic [LB:0] room, size;
  logic refused;

  assign room = (LB + 1)'(MAX_BURST) - {1'b0, offset[LB-1:0]};
  assign size = (left < 32'(room)) ? left[LB:0] : room;
  assign burst_valid_o  = left != 0;
  assign burst_offset_o = offset;
  assign burst_len_o    = 8'(size - 1'b1);
  // The next request is taken while the last burst of this one leaves.
  assign req_ready_o    = left == 0 || (burst_ready_i && left == 32'(size));
  assign refused        = req_beats_i == 0
                        || {1'b0, req_offset_i} + {1'b0, req_beats_i} > {1'b0, window_i};

  always_ff @(posedge clk_i) begin
    error_o <= 1'b0;
    if (burst_valid_o && burst_ready_i) begin
      offset <= offset + 32'(size);
      left   <= left - 32'(size);
    end
    if (req_valid_i && req_ready_o) begin
      offset  <= req_offset_i;
      left    <= refused ? '0 : req_beats_i;
      error_o <= refused;
    end
    if (rst_i) begin
      left    <= '0;
      error_o <= 1'b0;
    end
  end
endmodule

`default_nettype wire
