// Reads requests (offset, beats) from memory as a stream of beats in order.
// Up to OUTSTANDING bursts are under way. Throughput one beat per cycle; latency that of the memory
// and 4 cycles. With flush_i no new burst begins, those under way are taken in and dropped; idle_o
// tells when none is left.
`default_nettype none

module axi_reader #(
  parameter int MAX_BURST   = 64,
  parameter int OUTSTANDING = 16
) (
  input  wire logic         clk_i,
  input  wire logic         rst_i,
  input  wire logic         flush_i,
  input  wire logic [63:0]  base_i,    // bytes, a multiple of 4096
  input  wire logic [31:0]  window_i,  // beats
  input  wire logic         req_valid_i,
  output logic              req_ready_o,
  input  wire logic [31:0]  req_offset_i,
  input  wire logic [31:0]  req_beats_i,
  output logic              data_valid_o,
  input  wire logic         data_ready_i,
  output logic [127:0]      data_o,
  output logic              idle_o,
  output logic              error_window_o,
  output logic              error_bus_o,

  output logic              arvalid_o,
  input  wire logic         arready_i,
  output logic [63:0]       araddr_o,
  output logic [7:0]        arlen_o,
  input  wire logic         rvalid_i,
  output logic              rready_o,
  input  wire logic [127:0] rdata_i,
  input  wire logic [1:0]   rresp_i,
  input  wire logic         rlast_i
);
  logic burst_valid, burst_ready, take_burst, fifo_ready;
  logic [31:0] burst_offset;
  logic [7:0] burst_len;
  logic [$clog2(OUTSTANDING+1)-1:0] pending;  // bursts whose address is offered and last beat to come

  burst_splitter #(.MAX_BURST(MAX_BURST)) u_splitter (
    .clk_i, .rst_i(rst_i || flush_i), .window_i,
    .req_valid_i, .req_ready_o, .req_offset_i, .req_beats_i,
    .burst_valid_o(burst_valid), .burst_ready_i(burst_ready),
    .burst_offset_o(burst_offset), .burst_len_o(burst_len), .error_o(error_window_o)
  );

  assign burst_ready = (!arvalid_o || arready_i) && pending != ($bits(pending))'(OUTSTANDING);
  assign take_burst  = burst_valid && burst_ready && !flush_i;

  always_ff @(posedge clk_i) begin
    if (arready_i) arvalid_o <= 1'b0;
    if (take_burst) begin
      arvalid_o <= 1'b1;
      araddr_o  <= base_i + {28'b0, burst_offset, 4'b0};
      arlen_o   <= burst_len;
    end
    pending <= pending + ($bits(pending))'(take_burst)
             - ($bits(pending))'(rvalid_i && rready_o && rlast_i);
    error_bus_o <= rvalid_i && rready_o && rresp_i != 2'b00;
    if (rst_i) begin
      arvalid_o   <= 1'b0;
      pending     <= '0;
      error_bus_o <= 1'b0;
    end
  end
  assign idle_o = pending == 0 && !burst_valid;

  fifo #(.WIDTH(128), .DEPTH(16)) u_data (
    .clk_i, .rst_i(rst_i || flush_i),
    .valid_i(rvalid_i && !flush_i), .ready_o(fifo_ready), .data_i(rdata_i),
    .valid_o(data_valid_o), .ready_i(data_ready_i), .data_o
  );
  assign rready_o = fifo_ready || flush_i;
endmodule

`default_nettype wire
