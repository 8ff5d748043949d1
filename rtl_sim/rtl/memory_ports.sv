// What stands between the accelerator and memory: two readers and a writer, two ports. All of them
// flush at once (flush_i); idle_o tells that no transaction is open on either port.
`default_nettype none

module memory_ports #(
  parameter int MAX_BURST   = 64,
  parameter int OUTSTANDING = 16
) (
  input  wire logic         clk_i,
  input  wire logic         rst_i,
  input  wire logic         flush_i,
  // Of the run; they stand still unless idle_o and flush_i.
  input  wire logic [63:0]  base0_i,
  input  wire logic [63:0]  base1_i,
  input  wire logic [31:0]  window_i,  // beats
  // Feature maps in.
  input  wire logic         in_req_valid_i,
  output logic              in_req_ready_o,
  input  wire logic [31:0]  in_req_offset_i,
  input  wire logic [31:0]  in_req_beats_i,
  output logic              in_valid_o,
  input  wire logic         in_ready_i,
  output logic [127:0]      in_data_o,
  // Feature maps out.
  input  wire logic         out_req_valid_i,
  output logic              out_req_ready_o,
  input  wire logic [31:0]  out_req_offset_i,
  input  wire logic [31:0]  out_req_beats_i,
  input  wire logic         out_valid_i,
  output logic              out_ready_o,
  input  wire logic [127:0] out_data_i,
  // Program.
  input  wire logic         program_req_valid_i,
  output logic              program_req_ready_o,
  input  wire logic [31:0]  program_req_offset_i,
  input  wire logic [31:0]  program_req_beats_i,
  output logic              program_valid_o,
  input  wire logic         program_ready_i,
  output logic [127:0]      program_data_o,
  // Status.
  output logic              maps_idle_o,     // of feature maps
  output logic              idle_o,
  output logic              moved_o,         // a beat or an answer
  output logic              window_error_o,  // one cycle each
  output logic              read_error_o,
  output logic              write_error_o,

  output logic              gmem0_awvalid_o,
  input  wire logic         gmem0_awready_i,
  output logic [63:0]       gmem0_awaddr_o,
  output logic [7:0]        gmem0_awlen_o,
  output logic              gmem0_wvalid_o,
  input  wire logic         gmem0_wready_i,
  output logic [127:0]      gmem0_wdata_o,
  output logic [15:0]       gmem0_wstrb_o,
  output logic              gmem0_wlast_o,
  input  wire logic         gmem0_bvalid_i,
  output logic              gmem0_bready_o,
  input  wire logic [1:0]   gmem0_bresp_i,
  output logic              gmem0_arvalid_o,
  input  wire logic         gmem0_arready_i,
  output logic [63:0]       gmem0_araddr_o,
  output logic [7:0]        gmem0_arlen_o,
  input  wire logic         gmem0_rvalid_i,
  output logic              gmem0_rready_o,
  input  wire logic [127:0] gmem0_rdata_i,
  input  wire logic [1:0]   gmem0_rresp_i,
  input  wire logic         gmem0_rlast_i,
  output logic              gmem1_arvalid_o,
  input  wire logic         gmem1_arready_i,
  output logic [63:0]       gmem1_araddr_o,
  output logic [7:0]        gmem1_arlen_o,
  input  wire logic         gmem1_rvalid_i,
  output logic              gmem1_rready_o,
  input  wire logic [127:0] gmem1_rdata_i,
  input  wire logic [1:0]   gmem1_rresp_i,
  input  wire logic         gmem1_rlast_i
);
  logic in_idle, out_idle, program_idle, in_window_error, out_window_error, program_window_error;
  logic in_bus_error, program_bus_error;
  axi_reader #(.MAX_BURST(MAX_BURST), .OUTSTANDING(OUTSTANDING)) u_map_reader (
    .clk_i, .rst_i, .flush_i, .base_i(base0_i), .window_i,
    .req_valid_i(in_req_valid_i), .req_ready_o(in_req_ready_o), .req_offset_i(in_req_offset_i),
    .req_beats_i(in_req_beats_i),
    .data_valid_o(in_valid_o), .data_ready_i(in_ready_i), .data_o(in_data_o),
    .idle_o(in_idle), .error_window_o(in_window_error), .error_bus_o(in_bus_error),
    .arvalid_o(gmem0_arvalid_o), .arready_i(gmem0_arready_i), .araddr_o(gmem0_araddr_o),
    .arlen_o(gmem0_arlen_o), .rvalid_i(gmem0_rvalid_i), .rready_o(gmem0_rready_o),
    .rdata_i(gmem0_rdata_i), .rresp_i(gmem0_rresp_i), .rlast_i(gmem0_rlast_i)
  );
  axi_writer #(.MAX_BURST(MAX_BURST), .OUTSTANDING(OUTSTANDING)) u_map_writer (
    .clk_i, .rst_i, .flush_i, .base_i(base0_i), .window_i,
    .req_valid_i(out_req_valid_i), .req_ready_o(out_req_ready_o),
    .req_offset_i(out_req_offset_i), .req_beats_i(out_req_beats_i),
    .data_valid_i(out_valid_i), .data_ready_o(out_ready_o), .data_i(out_data_i),
    .idle_o(out_idle), .error_window_o(out_window_error), .error_bus_o(write_error_o),
    .awvalid_o(gmem0_awvalid_o), .awready_i(gmem0_awready_i), .awaddr_o(gmem0_awaddr_o),
    .awlen_o(gmem0_awlen_o), .wvalid_o(gmem0_wvalid_o), .wready_i(gmem0_wready_i),
    .wdata_o(gmem0_wdata_o), .wstrb_o(gmem0_wstrb_o), .wlast_o(gmem0_wlast_o),
    .bvalid_i(gmem0_bvalid_i), .bready_o(gmem0_bready_o), .bresp_i(gmem0_bresp_i)
  );
  axi_reader #(.MAX_BURST(MAX_BURST), .OUTSTANDING(OUTSTANDING)) u_program_reader (
    .clk_i, .rst_i, .flush_i, .base_i(base1_i), .window_i,
    .req_valid_i(program_req_valid_i), .req_ready_o(program_req_ready_o),
    .req_offset_i(program_req_offset_i), .req_beats_i(program_req_beats_i),
    .data_valid_o(program_valid_o), .data_ready_i(program_ready_i), .data_o(program_data_o),
    .idle_o(program_idle), .error_window_o(program_window_error),
    .error_bus_o(program_bus_error),
    .arvalid_o(gmem1_arvalid_o), .arready_i(gmem1_arready_i), .araddr_o(gmem1_araddr_o),
    .arlen_o(gmem1_arlen_o), .rvalid_i(gmem1_rvalid_i), .rready_o(gmem1_rready_o),
    .rdata_i(gmem1_rdata_i), .rresp_i(gmem1_rresp_i), .rlast_i(gmem1_rlast_i)
  );

  assign maps_idle_o    = in_idle && out_idle;
  assign idle_o         = maps_idle_o && program_idle;
  assign window_error_o = in_window_error || out_window_error || program_window_error;
  assign read_error_o   = in_bus_error || program_bus_error;
  assign moved_o = (gmem0_rvalid_i && gmem0_rready_o) || (gmem1_rvalid_i && gmem1_rready_o)
                || (gmem0_wvalid_o && gmem0_wready_i) || (gmem0_bvalid_i && gmem0_bready_o);
endmodule

`default_nettype wire
