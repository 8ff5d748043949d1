// The accelerator (docs/accelerator.md): runs a compiled program of up to 8 layers per start.
// Ports as Vitis HLS exports them: control by AXI4-Lite, feature maps by port gmem0, the program by
// port gmem1. See rtl_sim/README.md for the block diagram and the pipeline.
`default_nettype none

module xlic_accel
  import xlic_isa_pkg::*;
#(
  parameter int          POF          = 16,
  parameter int          POY          = 4,
  parameter int          POX          = 16,
  parameter int          INPUT_WORDS  = 1024,
  parameter int          WEIGHT_WORDS = 57344,
  parameter int          PARAM_WORDS  = 1024,
  parameter int          PASS_WORDS   = 512,
  parameter int          TAP_WORDS    = 512,
  parameter int          CHANNELS     = 256,
  parameter logic [63:0] SOURCE_HASH  = '0
) (
  input  wire logic          ap_clk,
  input  wire logic          ap_rst_n,
  output logic               interrupt,
  input  wire logic          s_axi_control_AWVALID,
  output logic               s_axi_control_AWREADY,
  input  wire logic [11:0]   s_axi_control_AWADDR,
  input  wire logic          s_axi_control_WVALID,
  output logic               s_axi_control_WREADY,
  input  wire logic [31:0]   s_axi_control_WDATA,
  input  wire logic [3:0]    s_axi_control_WSTRB,
  output logic               s_axi_control_BVALID,
  input  wire logic          s_axi_control_BREADY,
  output logic      [1:0]    s_axi_control_BRESP,
  input  wire logic          s_axi_control_ARVALID,
  output logic               s_axi_control_ARREADY,
  input  wire logic [11:0]   s_axi_control_ARADDR,
  output logic               s_axi_control_RVALID,
  input  wire logic          s_axi_control_RREADY,
  output logic      [31:0]   s_axi_control_RDATA,
  output logic      [1:0]    s_axi_control_RRESP,
  output logic               m_axi_gmem0_AWVALID,
  input  wire logic          m_axi_gmem0_AWREADY,
  output logic      [63:0]   m_axi_gmem0_AWADDR,
  output logic               m_axi_gmem0_AWID,
  output logic      [7:0]    m_axi_gmem0_AWLEN,
  output logic      [2:0]    m_axi_gmem0_AWSIZE,
  output logic      [1:0]    m_axi_gmem0_AWBURST,
  output logic      [1:0]    m_axi_gmem0_AWLOCK,
  output logic      [3:0]    m_axi_gmem0_AWREGION,
  output logic      [3:0]    m_axi_gmem0_AWCACHE,
  output logic      [2:0]    m_axi_gmem0_AWPROT,
  output logic      [3:0]    m_axi_gmem0_AWQOS,
  output logic               m_axi_gmem0_WVALID,
  input  wire logic          m_axi_gmem0_WREADY,
  output logic      [127:0]  m_axi_gmem0_WDATA,
  output logic      [15:0]   m_axi_gmem0_WSTRB,
  output logic               m_axi_gmem0_WLAST,
  output logic               m_axi_gmem0_ARVALID,
  input  wire logic          m_axi_gmem0_ARREADY,
  output logic      [63:0]   m_axi_gmem0_ARADDR,
  output logic               m_axi_gmem0_ARID,
  output logic      [7:0]    m_axi_gmem0_ARLEN,
  output logic      [2:0]    m_axi_gmem0_ARSIZE,
  output logic      [1:0]    m_axi_gmem0_ARBURST,
  output logic      [1:0]    m_axi_gmem0_ARLOCK,
  output logic      [3:0]    m_axi_gmem0_ARREGION,
  output logic      [3:0]    m_axi_gmem0_ARCACHE,
  output logic      [2:0]    m_axi_gmem0_ARPROT,
  output logic      [3:0]    m_axi_gmem0_ARQOS,
  input  wire logic          m_axi_gmem0_RVALID,
  output logic               m_axi_gmem0_RREADY,
  input  wire logic [127:0]  m_axi_gmem0_RDATA,
  input  wire logic          m_axi_gmem0_RLAST,
  input  wire logic          m_axi_gmem0_RID,
  input  wire logic [1:0]    m_axi_gmem0_RRESP,
  input  wire logic          m_axi_gmem0_BVALID,
  output logic               m_axi_gmem0_BREADY,
  input  wire logic [1:0]    m_axi_gmem0_BRESP,
  input  wire logic          m_axi_gmem0_BID,
  output logic               m_axi_gmem1_AWVALID,
  input  wire logic          m_axi_gmem1_AWREADY,
  output logic      [63:0]   m_axi_gmem1_AWADDR,
  output logic               m_axi_gmem1_AWID,
  output logic      [7:0]    m_axi_gmem1_AWLEN,
  output logic      [2:0]    m_axi_gmem1_AWSIZE,
  output logic      [1:0]    m_axi_gmem1_AWBURST,
  output logic      [1:0]    m_axi_gmem1_AWLOCK,
  output logic      [3:0]    m_axi_gmem1_AWREGION,
  output logic      [3:0]    m_axi_gmem1_AWCACHE,
  output logic      [2:0]    m_axi_gmem1_AWPROT,
  output logic      [3:0]    m_axi_gmem1_AWQOS,
  output logic               m_axi_gmem1_WVALID,
  input  wire logic          m_axi_gmem1_WREADY,
  output logic      [127:0]  m_axi_gmem1_WDATA,
  output logic      [15:0]   m_axi_gmem1_WSTRB,
  output logic               m_axi_gmem1_WLAST,
  output logic               m_axi_gmem1_ARVALID,
  input  wire logic          m_axi_gmem1_ARREADY,
  output logic      [63:0]   m_axi_gmem1_ARADDR,
  output logic               m_axi_gmem1_ARID,
  output logic      [7:0]    m_axi_gmem1_ARLEN,
  output logic      [2:0]    m_axi_gmem1_ARSIZE,
  output logic      [1:0]    m_axi_gmem1_ARBURST,
  output logic      [1:0]    m_axi_gmem1_ARLOCK,
  output logic      [3:0]    m_axi_gmem1_ARREGION,
  output logic      [3:0]    m_axi_gmem1_ARCACHE,
  output logic      [2:0]    m_axi_gmem1_ARPROT,
  output logic      [3:0]    m_axi_gmem1_ARQOS,
  input  wire logic          m_axi_gmem1_RVALID,
  output logic               m_axi_gmem1_RREADY,
  input  wire logic [127:0]  m_axi_gmem1_RDATA,
  input  wire logic          m_axi_gmem1_RLAST,
  input  wire logic          m_axi_gmem1_RID,
  input  wire logic [1:0]    m_axi_gmem1_RRESP,
  input  wire logic          m_axi_gmem1_BVALID,
  output logic               m_axi_gmem1_BREADY,
  input  wire logic [1:0]    m_axi_gmem1_BRESP,
  input  wire logic          m_axi_gmem1_BID
);
  localparam int IW = $clog2(INPUT_WORDS);
  localparam int CW = $clog2(CHANNELS);
  localparam int RW = $clog2(POY);

  parameter_check #(
    .POF(POF), .POY(POY), .POX(POX), .INPUT_WORDS(INPUT_WORDS), .WEIGHT_WORDS(WEIGHT_WORDS),
    .PARAM_WORDS(PARAM_WORDS), .PASS_WORDS(PASS_WORDS), .TAP_WORDS(TAP_WORDS),
    .CHANNELS(CHANNELS)
  ) u_parameters ();

  logic clk, rst;
  assign clk = ap_clk;
  always_ff @(posedge ap_clk) rst <= !ap_rst_n;

  // ---- registers
  logic reg_write, reg_read, start, busy, done, ready;
  logic [11:0] reg_write_addr, reg_read_addr;
  logic [31:0] reg_write_data, reg_read_data, window, program_offset, cycles, counter;
  logic [3:0] reg_write_strb, error, error_layer, layers_done;
  logic [63:0] base0, base1, identity, loaded_identity;
  logic [5:0] counter_addr;
  assign s_axi_control_BRESP = 2'b00;
  assign s_axi_control_RRESP = 2'b00;
  axi_lite_registers #(.ADDR(12)) u_axi_lite (
    .clk_i(clk), .rst_i(rst),
    .awvalid_i(s_axi_control_AWVALID), .awready_o(s_axi_control_AWREADY),
    .awaddr_i(s_axi_control_AWADDR),
    .wvalid_i(s_axi_control_WVALID), .wready_o(s_axi_control_WREADY),
    .wdata_i(s_axi_control_WDATA), .wstrb_i(s_axi_control_WSTRB),
    .bvalid_o(s_axi_control_BVALID), .bready_i(s_axi_control_BREADY),
    .arvalid_i(s_axi_control_ARVALID), .arready_o(s_axi_control_ARREADY),
    .araddr_i(s_axi_control_ARADDR),
    .rvalid_o(s_axi_control_RVALID), .rready_i(s_axi_control_RREADY),
    .rdata_o(s_axi_control_RDATA),
    .write_o(reg_write), .write_addr_o(reg_write_addr), .write_data_o(reg_write_data),
    .write_strb_o(reg_write_strb), .read_o(reg_read), .read_addr_o(reg_read_addr),
    .read_data_i(reg_read_data)
  );
  control_registers #(
    .POF(POF), .POY(POY), .POX(POX), .INPUT_WORDS(INPUT_WORDS), .WEIGHT_WORDS(WEIGHT_WORDS),
    .PARAM_WORDS(PARAM_WORDS), .PASS_WORDS(PASS_WORDS), .TAP_WORDS(TAP_WORDS),
    .CHANNELS(CHANNELS), .SOURCE_HASH(SOURCE_HASH)
  ) u_registers (
    .clk_i(clk), .rst_i(rst),
    .write_i(reg_write), .write_addr_i(reg_write_addr), .write_data_i(reg_write_data),
    .write_strb_i(reg_write_strb), .read_i(reg_read), .read_addr_i(reg_read_addr),
    .read_data_o(reg_read_data),
    .start_o(start), .busy_i(busy), .done_i(done), .ready_i(ready), .interrupt_o(interrupt),
    .base0_o(base0), .base1_o(base1), .window_o(window), .program_o(program_offset),
    .error_i(error), .error_layer_i(error_layer), .layers_done_i(layers_done),
    .cycles_i(cycles), .identity_i(identity),
    .counter_addr_o(counter_addr), .counter_i(counter)
  );

  // ---- memory ports
  logic flush, maps_idle, ports_idle, ports_moved, window_error, read_error, write_error;
  logic in_req_valid, in_req_ready, in_valid, in_ready;
  logic out_req_valid, out_req_ready, out_valid, out_ready;
  logic program_req_valid, program_req_ready, program_valid, program_ready;
  logic [31:0] in_req_offset, in_req_beats, out_req_offset, out_req_beats;
  logic [31:0] program_req_offset, program_req_beats;
  logic [127:0] in_data, out_beat, program_data;
  memory_ports u_ports (
    .clk_i(clk), .rst_i(rst), .flush_i(flush),
    .base0_i(base0), .base1_i(base1), .window_i(window),
    .in_req_valid_i(in_req_valid), .in_req_ready_o(in_req_ready),
    .in_req_offset_i(in_req_offset), .in_req_beats_i(in_req_beats),
    .in_valid_o(in_valid), .in_ready_i(in_ready), .in_data_o(in_data),
    .out_req_valid_i(out_req_valid), .out_req_ready_o(out_req_ready),
    .out_req_offset_i(out_req_offset), .out_req_beats_i(out_req_beats),
    .out_valid_i(out_valid), .out_ready_o(out_ready), .out_data_i(out_beat),
    .program_req_valid_i(program_req_valid), .program_req_ready_o(program_req_ready),
    .program_req_offset_i(program_req_offset), .program_req_beats_i(program_req_beats),
    .program_valid_o(program_valid), .program_ready_i(program_ready),
    .program_data_o(program_data),
    .maps_idle_o(maps_idle), .idle_o(ports_idle), .moved_o(ports_moved),
    .window_error_o(window_error), .read_error_o(read_error), .write_error_o(write_error),
    .gmem0_awvalid_o(m_axi_gmem0_AWVALID), .gmem0_awready_i(m_axi_gmem0_AWREADY),
    .gmem0_awaddr_o(m_axi_gmem0_AWADDR), .gmem0_awlen_o(m_axi_gmem0_AWLEN),
    .gmem0_wvalid_o(m_axi_gmem0_WVALID), .gmem0_wready_i(m_axi_gmem0_WREADY),
    .gmem0_wdata_o(m_axi_gmem0_WDATA), .gmem0_wstrb_o(m_axi_gmem0_WSTRB),
    .gmem0_wlast_o(m_axi_gmem0_WLAST), .gmem0_bvalid_i(m_axi_gmem0_BVALID),
    .gmem0_bready_o(m_axi_gmem0_BREADY), .gmem0_bresp_i(m_axi_gmem0_BRESP),
    .gmem0_arvalid_o(m_axi_gmem0_ARVALID), .gmem0_arready_i(m_axi_gmem0_ARREADY),
    .gmem0_araddr_o(m_axi_gmem0_ARADDR), .gmem0_arlen_o(m_axi_gmem0_ARLEN),
    .gmem0_rvalid_i(m_axi_gmem0_RVALID), .gmem0_rready_o(m_axi_gmem0_RREADY),
    .gmem0_rdata_i(m_axi_gmem0_RDATA), .gmem0_rresp_i(m_axi_gmem0_RRESP),
    .gmem0_rlast_i(m_axi_gmem0_RLAST), .gmem1_arvalid_o(m_axi_gmem1_ARVALID),
    .gmem1_arready_i(m_axi_gmem1_ARREADY), .gmem1_araddr_o(m_axi_gmem1_ARADDR),
    .gmem1_arlen_o(m_axi_gmem1_ARLEN), .gmem1_rvalid_i(m_axi_gmem1_RVALID),
    .gmem1_rready_o(m_axi_gmem1_RREADY), .gmem1_rdata_i(m_axi_gmem1_RDATA),
    .gmem1_rresp_i(m_axi_gmem1_RRESP), .gmem1_rlast_i(m_axi_gmem1_RLAST)
  );
  // What does not change: 16-byte beats, incrementing, one ID, bufferable and modifiable.
  assign m_axi_gmem0_AWID = 1'b0;
  assign m_axi_gmem0_AWSIZE = 3'd4;
  assign m_axi_gmem0_AWBURST = 2'b01;
  assign m_axi_gmem0_AWLOCK = 2'b00;
  assign m_axi_gmem0_AWREGION = 4'b0;
  assign m_axi_gmem0_AWCACHE = 4'b0011;
  assign m_axi_gmem0_AWPROT = 3'b0;
  assign m_axi_gmem0_AWQOS = 4'b0;
  assign m_axi_gmem0_ARID = 1'b0;
  assign m_axi_gmem0_ARSIZE = 3'd4;
  assign m_axi_gmem0_ARBURST = 2'b01;
  assign m_axi_gmem0_ARLOCK = 2'b00;
  assign m_axi_gmem0_ARREGION = 4'b0;
  assign m_axi_gmem0_ARCACHE = 4'b0011;
  assign m_axi_gmem0_ARPROT = 3'b0;
  assign m_axi_gmem0_ARQOS = 4'b0;
  assign m_axi_gmem1_AWID = 1'b0;
  assign m_axi_gmem1_AWSIZE = 3'd4;
  assign m_axi_gmem1_AWBURST = 2'b01;
  assign m_axi_gmem1_AWLOCK = 2'b00;
  assign m_axi_gmem1_AWREGION = 4'b0;
  assign m_axi_gmem1_AWCACHE = 4'b0011;
  assign m_axi_gmem1_AWPROT = 3'b0;
  assign m_axi_gmem1_AWQOS = 4'b0;
  assign m_axi_gmem1_ARID = 1'b0;
  assign m_axi_gmem1_ARSIZE = 3'd4;
  assign m_axi_gmem1_ARBURST = 2'b01;
  assign m_axi_gmem1_ARLOCK = 2'b00;
  assign m_axi_gmem1_ARREGION = 4'b0;
  assign m_axi_gmem1_ARCACHE = 4'b0011;
  assign m_axi_gmem1_ARPROT = 3'b0;
  assign m_axi_gmem1_ARQOS = 4'b0;
  // Nothing is written by port 1.
  assign m_axi_gmem1_AWVALID = 1'b0;
  assign m_axi_gmem1_AWADDR = '0;
  assign m_axi_gmem1_AWLEN = '0;
  assign m_axi_gmem1_WVALID = 1'b0;
  assign m_axi_gmem1_WDATA = '0;
  assign m_axi_gmem1_WSTRB = '0;
  assign m_axi_gmem1_WLAST = 1'b0;
  assign m_axi_gmem1_BREADY = 1'b1;

  // ---- program
  logic unit_rst, unit_start, loader_error, tables_ok, loaded;
  logic layer_we, pass_we, tap_we, param_we, weight_we;
  logic [3:0] loader_code;
  logic [127:0] table_data;
  logic [15:0] table_addr;
  logic [31:0] layers, passes, taps, params, weight_words;
  logic [33:0] program_end;
  program_loader #(
    .POF(POF), .POY(POY), .POX(POX), .WEIGHT_WORDS(WEIGHT_WORDS), .PARAM_WORDS(PARAM_WORDS),
    .PASS_WORDS(PASS_WORDS), .TAP_WORDS(TAP_WORDS)
  ) u_loader (
    .clk_i(clk), .rst_i(unit_rst), .start_i(unit_start), .program_i(program_offset),
    .window_i(window), .end_o(program_end),
    .req_valid_o(program_req_valid), .req_ready_i(program_req_ready),
    .req_offset_o(program_req_offset), .req_beats_o(program_req_beats),
    .data_valid_i(program_valid), .data_ready_o(program_ready), .data_i(program_data),
    .table_data_o(table_data), .table_addr_o(table_addr),
    .layer_we_o(layer_we), .pass_we_o(pass_we), .tap_we_o(tap_we), .param_we_o(param_we),
    .weight_we_o(weight_we),
    .layers_o(layers), .passes_o(passes), .taps_o(taps), .params_o(params),
    .weight_words_o(weight_words), .identity_o(loaded_identity),
    .tables_ok_o(tables_ok), .done_o(loaded), .error_o(loader_error), .error_code_o(loader_code)
  );

  logic pass_re;
  logic [15:0] pass_addr, tap_addr, drain_param_addr, load_param_addr;
  logic [127:0] pass_record, drain_params, load_params;
  logic [31:0] tap;
  logic [63:0] drain_param, load_param;
  logic drain_param_odd, load_param_odd;
  ram_sdp #(.WIDTH(128), .DEPTH(PASS_WORDS)) u_passes (
    .clk_i(clk), .we_i(pass_we), .waddr_i(table_addr[$clog2(PASS_WORDS)-1:0]),
    .wdata_i(table_data),
    .re_i(pass_re), .raddr_i(pass_addr[$clog2(PASS_WORDS)-1:0]), .rdata_o(pass_record)
  );
  // Taps are read in the same cycle: distributed memory.
  logic [127:0] tap_table [(TAP_WORDS + 3) / 4];
  always_ff @(posedge clk) begin
    if (tap_we) tap_table[table_addr[$clog2((TAP_WORDS+3)/4)-1:0]] <= table_data;
  end
  assign tap = tap_table[tap_addr[$clog2(TAP_WORDS)-1:2]][32'(tap_addr[1:0]) * 32 +: 32];
  // Parameters, once for the drain and once for symbols on their way in.
  ram_sdp #(.WIDTH(128), .DEPTH((PARAM_WORDS + 1) / 2)) u_drain_params (
    .clk_i(clk), .we_i(param_we), .waddr_i(table_addr[$clog2((PARAM_WORDS+1)/2)-1:0]),
    .wdata_i(table_data), .re_i(1'b1),
    .raddr_i(drain_param_addr[$clog2(PARAM_WORDS)-1:1]), .rdata_o(drain_params)
  );
  ram_sdp #(.WIDTH(128), .DEPTH((PARAM_WORDS + 1) / 2)) u_load_params (
    .clk_i(clk), .we_i(param_we), .waddr_i(table_addr[$clog2((PARAM_WORDS+1)/2)-1:0]),
    .wdata_i(table_data), .re_i(1'b1),
    .raddr_i(load_param_addr[$clog2(PARAM_WORDS)-1:1]), .rdata_o(load_params)
  );
  always_ff @(posedge clk) begin
    drain_param_odd <= drain_param_addr[0];
    load_param_odd  <= load_param_addr[0];
  end
  assign drain_param = drain_param_odd ? drain_params[127:64] : drain_params[63:0];
  assign load_param  = load_param_odd ? load_params[127:64] : load_params[63:0];

  // Of the last program whose tables were sound, until the next start.
  always_ff @(posedge clk) begin
    if (tables_ok) identity <= loaded_identity;
    if (rst || start) identity <= '0;
  end

  // ---- control
  logic layer_start, layer_idle, layer_bad, layer_outside, layer_tables, checking;
  logic pass_error, input_saturation;
  logic step_valid, wait_load, wait_weight, wait_store;
  logic [1023:0] layer;
  logic [5:0] conv_saturations, activation_saturations;
  logic load_done, fill_we, sequencer_busy, drain_busy, drain_pending, store_idle, drain_waiting;
  // The layer has come to rest: steps, drain and memory.
  assign layer_idle = !checking && load_done && !sequencer_busy && !drain_busy && !drain_pending
                   && store_idle && maps_idle;
  run_control u_control (
    .clk_i(clk), .rst_i(rst), .start_i(start), .busy_o(busy), .done_o(done), .ready_o(ready),
    .unit_rst_o(unit_rst), .unit_start_o(unit_start), .flush_o(flush),
    .ports_idle_i(ports_idle),
    .progress_i(step_valid || fill_we || (checking && !pass_error) || ports_moved),
    .tables_ok_i(tables_ok), .loaded_i(loaded), .layers_i(layers),
    .layer_we_i(layer_we), .layer_waddr_i(table_addr[5:0]), .layer_wdata_i(table_data),
    .layer_o(layer), .layer_start_o(layer_start), .layer_idle_i(layer_idle),
    .layer_bad_i(layer_bad), .layer_outside_i(layer_outside), .layer_tables_i(layer_tables),
    .loader_error_i(loader_error), .loader_code_i(loader_code), .pass_error_i(pass_error),
    .window_error_i(window_error), .read_error_i(read_error), .write_error_i(write_error),
    .active_i(step_valid), .wait_load_i(wait_load), .wait_weight_i(wait_weight),
    .wait_store_i(wait_store || (drain_waiting && !step_valid && !wait_load && !wait_weight)),
    .conv_saturations_i(conv_saturations), .activation_saturations_i(activation_saturations),
    .input_saturation_i(input_saturation),
    .error_o(error), .error_layer_o(error_layer), .layers_done_o(layers_done),
    .cycles_o(cycles), .counter_addr_i(counter_addr), .counter_o(counter)
  );

  layer_checker #(
    .POY(POY), .POX(POX), .INPUT_WORDS(INPUT_WORDS), .CHANNELS(CHANNELS)
  ) u_layer_checker (
    .clk_i(clk), .layer_i(layer), .window_i(window), .program_i(program_offset),
    .program_end_i(program_end), .passes_i(passes), .params_i(params),
    .bad_o(layer_bad), .outside_o(layer_outside), .tables_o(layer_tables)
  );
  pass_checker #(
    .POF(POF), .POY(POY), .POX(POX), .PARAM_WORDS(PARAM_WORDS), .PASS_WORDS(PASS_WORDS),
    .TAP_WORDS(TAP_WORDS), .CHANNELS(CHANNELS)
  ) u_pass_checker (
    .clk_i(clk), .rst_i(unit_rst), .pass_we_i(pass_we), .tap_we_i(tap_we), .param_we_i(param_we),
    .table_addr_i(table_addr), .table_data_i(table_data),
    .taps_i(taps), .params_i(params), .weight_words_i(weight_words),
    .start_i(layer_start), .layer_i(layer), .busy_o(checking), .error_o(pass_error)
  );

  // ---- input
  logic fill_half, half_release;
  logic [1:0] half_full;
  logic [RW-1:0] fill_bank;
  logic [IW-1:0] fill_addr;
  logic [$clog2(POX+2)-1:0] fill_step;
  logic [7:0] fill_mask;
  logic [127:0] fill_data;
  window_loader #(.POY(POY), .POX(POX), .INPUT_WORDS(INPUT_WORDS)) u_window (
    .clk_i(clk), .rst_i(unit_rst), .start_i(layer_start), .layer_i(layer), .done_o(load_done),
    .half_full_o(half_full), .half_release_i(half_release),
    .req_valid_o(in_req_valid), .req_ready_i(in_req_ready), .req_offset_o(in_req_offset),
    .req_beats_o(in_req_beats),
    .data_valid_i(in_valid), .data_ready_o(in_ready), .data_i(in_data),
    .param_addr_o(load_param_addr), .param_i(load_param),
    .we_o(fill_we), .whalf_o(fill_half), .wbank_o(fill_bank), .waddr_o(fill_addr),
    .wstep_o(fill_step), .wmask_o(fill_mask), .wdata_o(fill_data),
    .saturation_o(input_saturation)
  );

  // ---- steps
  logic step_first, step_last, step_gamma, step_half, held, released, pass_done_valid;
  logic [IW-1:0] step_word;
  logic [1:0] step_dy, step_dx;
  logic [2:0] step_skew;
  logic [CW-1:0] step_channel;
  logic [23:0] weight_addr, weights_loaded;
  logic [92:0] pass_done;
  sequencer #(
    .POY(POY), .POX(POX), .INPUT_WORDS(INPUT_WORDS), .CHANNELS(CHANNELS)
  ) u_sequencer (
    .clk_i(clk), .rst_i(unit_rst), .start_i(layer_start), .layer_i(layer),
    .busy_o(sequencer_busy),
    .pass_re_o(pass_re), .pass_addr_o(pass_addr), .pass_i(pass_record),
    .tap_addr_o(tap_addr), .tap_i(tap),
    .half_full_i(half_full), .half_release_o(half_release),
    .weights_loaded_i(weights_loaded), .held_i(held), .released_i(released),
    .valid_o(step_valid), .first_o(step_first), .last_o(step_last), .gamma_o(step_gamma),
    .word_o(step_word), .dy_o(step_dy), .dx_o(step_dx), .skew_o(step_skew),
    .channel_o(step_channel), .read_half_o(step_half), .weight_addr_o(weight_addr),
    .drain_valid_o(pass_done_valid), .drain_o(pass_done),
    .wait_load_o(wait_load), .wait_weight_o(wait_weight), .wait_store_o(wait_store)
  );

  logic [POY*POX*16-1:0] window_operand, held_operand;
  logic [POF*16-1:0] weight_word;
  input_buffer #(.POY(POY), .POX(POX), .INPUT_WORDS(INPUT_WORDS)) u_input (
    .clk_i(clk),
    .we_i(fill_we), .whalf_i(fill_half), .wbank_i(fill_bank), .waddr_i(fill_addr),
    .wstep_i(fill_step), .wmask_i(fill_mask), .wdata_i(fill_data),
    .re_i(step_valid && !step_gamma), .rhalf_i(step_half), .raddr_i(step_word),
    .slot_words_i(layer[LAYER_SLOT_WORDS_LSB +: IW+1]),
    .dy_i(step_dy), .dx_i(step_dx), .skew_i(step_skew), .data_o(window_operand)
  );
  weight_store #(.POF(POF), .WEIGHT_WORDS(WEIGHT_WORDS)) u_weights (
    .clk_i(clk), .rst_i(unit_rst), .we_i(weight_we), .beat_i(table_data),
    .loaded_o(weights_loaded), .re_i(step_valid), .addr_i(weight_addr), .word_o(weight_word)
  );

  // Operands leave their buffers 5 cycles after the step, weights 4; the array takes weights one
  // cycle after operands.
  localparam int OPERAND = 5;
  logic [OPERAND-1:0] valid_q, first_q, last_q, gamma_q;
  logic [POF*16-1:0] weight_q, weight_qq;
  always_ff @(posedge clk) begin
    valid_q   <= {valid_q[OPERAND-2:0], step_valid};
    first_q   <= {first_q[OPERAND-2:0], step_first};
    last_q    <= {last_q[OPERAND-2:0], step_last};
    gamma_q   <= {gamma_q[OPERAND-2:0], step_gamma};
    weight_q  <= weight_word;
    weight_qq <= weight_q;
    if (unit_rst) valid_q <= '0;
  end

  // ---- array
  logic capture, shadow_read;
  logic [$clog2(POF)-1:0] shadow_lane;
  logic [RW-1:0] shadow_row;
  logic [POX*48-1:0] sums;
  mac_array #(.POF(POF), .POY(POY), .POX(POX)) u_array (
    .clk_i(clk), .rst_i(unit_rst),
    .valid_i(valid_q[OPERAND-1]), .first_i(first_q[OPERAND-1]), .last_i(last_q[OPERAND-1]),
    .gamma_i(gamma_q[OPERAND-1]), .window_i(window_operand), .magnitude_i(held_operand),
    .weight_i(weight_qq), .capture_o(capture),
    .read_i(shadow_read), .lane_i(shadow_lane), .row_i(shadow_row), .sums_o(sums)
  );

  // ---- behind the array
  logic drain_take, hold_we, hold_re, out_we, out_half, out_last, half_take;
  logic emit_valid, half_freed;
  logic [92:0] drain_pass;
  logic [CW-1:0] hold_wchannel, hold_rchannel, out_channel;
  logic [RW-1:0] hold_wrow, hold_rrow, out_row;
  logic [POX*16-1:0] hold_wdata, hold_rdata, out_data;
  logic [55:0] emit;
  logic [1:0] halves_free;
  fifo #(.WIDTH(93), .DEPTH(4)) u_pass_queue (
    .clk_i(clk), .rst_i(unit_rst), .valid_i(pass_done_valid), .ready_o(), .data_i(pass_done),
    .valid_o(drain_pending), .ready_i(drain_take), .data_o(drain_pass)
  );
  drain #(.POF(POF), .POY(POY), .POX(POX), .CHANNELS(CHANNELS)) u_drain (
    .clk_i(clk), .rst_i(unit_rst),
    .out_height_i(layer[LAYER_OUT_HEIGHT_LSB +: LAYER_OUT_HEIGHT_BITS]),
    .out_width_i(layer[LAYER_OUT_WIDTH_LSB +: LAYER_OUT_WIDTH_BITS]),
    .row_mul_i(layer[LAYER_ROW_MUL_LSB +: LAYER_ROW_MUL_BITS]),
    .col_mul_i(layer[LAYER_COL_MUL_LSB +: LAYER_COL_MUL_BITS]),
    .out_lead_i(layer[LAYER_OUT_LEAD_LSB +: LAYER_OUT_LEAD_BITS]),
    .out_channels_i(layer[LAYER_OUT_CHANNELS_LSB +: LAYER_OUT_CHANNELS_BITS]),
    .pass_valid_i(drain_pending), .pass_ready_o(drain_take),
    .destination_i(drain_pass[92:90]), .channel_base_i(drain_pass[89:74]),
    .param_base_i(drain_pass[73:58]), .emit_begin_i(drain_pass[57]),
    .emit_end_i(drain_pass[56]), .phase_y_i(drain_pass[55:48]), .phase_x_i(drain_pass[47:40]),
    .grid_y_i(drain_pass[39:20]), .grid_x_i(drain_pass[19:0]),
    .capture_i(capture), .read_o(shadow_read), .lane_o(shadow_lane), .row_o(shadow_row),
    .sums_i(sums), .released_o(released),
    .param_addr_o(drain_param_addr), .param_i(drain_param),
    .hold_we_o(hold_we), .hold_channel_o(hold_wchannel), .hold_row_o(hold_wrow),
    .hold_data_o(hold_wdata), .held_o(held),
    .hold_re_o(hold_re), .hold_rchannel_o(hold_rchannel), .hold_rrow_o(hold_rrow),
    .hold_rdata_i(hold_rdata),
    .half_free_i(halves_free != 0), .half_take_o(half_take),
    .emit_valid_o(emit_valid), .emit_o(emit),
    .out_we_o(out_we), .out_half_o(out_half), .out_channel_o(out_channel), .out_row_o(out_row),
    .out_data_o(out_data), .out_last_o(out_last),
    .conv_saturations_o(conv_saturations), .activation_saturations_o(activation_saturations),
    .waiting_o(drain_waiting), .busy_o(drain_busy)
  );
  hold_buffer #(.POY(POY), .POX(POX), .CHANNELS(CHANNELS)) u_hold (
    .clk_i(clk), .we_i(hold_we), .wchannel_i(hold_wchannel), .wrow_i(hold_wrow),
    .wdata_i(hold_wdata),
    .magnitude_re_i(step_valid && step_gamma), .magnitude_channel_i(step_channel),
    .magnitude_o(held_operand),
    .row_re_i(hold_re), .row_channel_i(hold_rchannel), .row_i(hold_rrow), .row_o(hold_rdata)
  );

  // ---- output
  logic store_re, store_half;
  logic [CW-4:0] store_group;
  logic [RW-1:0] store_row;
  logic [$clog2(POX)-1:0] store_position;
  logic [127:0] store_data;
  always_ff @(posedge clk) begin
    halves_free <= halves_free - 2'(half_take) + 2'(half_freed);
    if (unit_rst) halves_free <= 2'd2;
  end
  output_buffer #(.POY(POY), .POX(POX), .CHANNELS(CHANNELS)) u_output (
    .clk_i(clk),
    .we_i(out_we), .whalf_i(out_half), .wchannel_i(out_channel), .wrow_i(out_row),
    .wdata_i(out_data),
    .re_i(store_re), .rhalf_i(store_half), .rgroup_i(store_group), .rrow_i(store_row),
    .rposition_i(store_position), .rdata_o(store_data)
  );
  store #(.POY(POY), .POX(POX), .CHANNELS(CHANNELS)) u_store (
    .clk_i(clk), .rst_i(unit_rst), .layer_i(layer),
    .emit_valid_i(emit_valid), .emit_i(emit), .half_done_i(out_last),
    .half_freed_o(half_freed), .wait_i(checking), .idle_o(store_idle),
    .re_o(store_re), .half_o(store_half), .group_o(store_group), .row_o(store_row),
    .position_o(store_position), .data_i(store_data),
    .req_valid_o(out_req_valid), .req_ready_i(out_req_ready), .req_offset_o(out_req_offset),
    .req_beats_o(out_req_beats),
    .beat_valid_o(out_valid), .beat_ready_i(out_ready), .beat_o(out_beat)
  );
endmodule

`default_nettype wire
