// Writes a stream of beats to requests (offset, beats) in order.
// Up to OUTSTANDING bursts await their response. Throughput one beat per cycle. With flush_i no new
// burst begins; those whose address was offered are completed with no byte enabled. idle_o tells
// that every burst has been answered.
`default_nettype none

module axi_writer #(
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
  input  wire logic         data_valid_i,
  output logic              data_ready_o,
  input  wire logic [127:0] data_i,
  output logic              idle_o,
  output logic              error_window_o,
  output logic              error_bus_o,

  output logic              awvalid_o,
  input  wire logic         awready_i,
  output logic [63:0]       awaddr_o,
  output logic [7:0]        awlen_o,
  output logic              wvalid_o,
  input  wire logic         wready_i,
  output logic [127:0]      wdata_o,
  output logic [15:0]       wstrb_o,
  output logic              wlast_o,
  input  wire logic         bvalid_i,
  output logic              bready_o,
  input  wire logic [1:0]   bresp_i
);
  logic burst_valid, burst_ready, take_burst;
  logic [31:0] burst_offset;
  logic [7:0] burst_len;
  logic [$clog2(OUTSTANDING+1)-1:0] pending;  // bursts whose address is offered and response to come

  burst_splitter #(.MAX_BURST(MAX_BURST)) u_splitter (
    .clk_i, .rst_i(rst_i || flush_i), .window_i,
    .req_valid_i, .req_ready_o, .req_offset_i, .req_beats_i,
    .burst_valid_o(burst_valid), .burst_ready_i(burst_ready),
    .burst_offset_o(burst_offset), .burst_len_o(burst_len), .error_o(error_window_o)
  );

  assign burst_ready = (!awvalid_o || awready_i) && pending != ($bits(pending))'(OUTSTANDING);
  assign take_burst  = burst_valid && burst_ready && !flush_i;

  always_ff @(posedge clk_i) begin
    if (awready_i) awvalid_o <= 1'b0;
    if (take_burst) begin
      awvalid_o <= 1'b1;
      awaddr_o  <= base_i + {28'b0, burst_offset, 4'b0};
      awlen_o   <= burst_len;
    end
    pending <= pending + ($bits(pending))'(take_burst) - ($bits(pending))'(bvalid_i && bready_o);
    error_bus_o <= bvalid_i && bready_o && bresp_i != 2'b00;
    if (rst_i) begin
      awvalid_o   <= 1'b0;
      pending     <= '0;
      error_bus_o <= 1'b0;
    end
  end
  assign bready_o = 1'b1;

  // Data follow their address: a burst's length is queued once its address has been taken.
  logic len_valid, len_last, w_take, w_free;
  logic [7:0] len, beat;
  fifo #(.WIDTH(8), .DEPTH(2 << $clog2(OUTSTANDING))) u_lengths (
    .clk_i, .rst_i,
    .valid_i(awvalid_o && awready_i), .ready_o(), .data_i(awlen_o),
    .valid_o(len_valid), .ready_i(w_take && len_last), .data_o(len)
  );
  assign len_last     = beat == len;
  assign w_free       = !wvalid_o || wready_i;
  assign w_take       = len_valid && w_free && (data_valid_i || flush_i);
  assign data_ready_o = len_valid && w_free && !flush_i;

  always_ff @(posedge clk_i) begin
    if (wready_i) wvalid_o <= 1'b0;
    if (w_take) begin
      wvalid_o <= 1'b1;
      wdata_o  <= data_i;
      wstrb_o  <= {16{!flush_i}};
      wlast_o  <= len_last;
      beat     <= len_last ? '0 : beat + 1'b1;
    end
    if (rst_i) begin
      wvalid_o <= 1'b0;
      beat     <= '0;
    end
  end
  assign idle_o = pending == 0 && !burst_valid;
endmodule

`default_nettype wire
