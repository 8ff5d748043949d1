// Starts, ends and memory: run_control, control_registers and memory_ports together. Whatever units,
// host and memory do: a run begins only when no transaction is open, with arguments that stand still;
// after its last step no address is offered and no byte written any more; the accelerator is idle only
// when everything promised was delivered and answered, and soon after that; the end of a run is told
// once, also where memory never answers. That the ports keep AXI's rules while base and window stand
// still and a flush lasts until they are idle is proved of each by itself; that they do is proved here.
// Memory answers nothing that it was not asked, and is free otherwise.
`default_nettype none

module flush_check
  import xlic_isa_pkg::*;
#(
  parameter int MAX_BURST   = 4,
  parameter int OUTSTANDING = 2,
  parameter int WATCHDOG    = 1
) (
  input wire logic         clk_i,
  input wire logic         rst_i,
  // Host.
  input wire logic         write_i,
  input wire logic [11:0]  write_addr_i,
  input wire logic [31:0]  write_data_i,
  input wire logic [3:0]   write_strb_i,
  input wire logic         read_i,
  input wire logic [11:0]  read_addr_i,
  // Units: requests and data of three streams (map in, map out, program), errors, progress.
  input wire logic [2:0]   req_valid_i,
  input wire logic [31:0]  req_offset_i [3],
  input wire logic [31:0]  req_beats_i [3],
  input wire logic         in_ready_i,
  input wire logic         out_valid_i,
  input wire logic [127:0] out_data_i,
  input wire logic         program_ready_i,
  input wire logic         step_i,
  input wire logic         tables_ok_i,
  input wire logic         loaded_i,
  input wire logic [31:0]  layers_i,
  input wire logic         layer_idle_i,
  input wire logic         layer_bad_i,
  input wire logic         layer_outside_i,
  input wire logic         layer_tables_i,
  input wire logic         loader_error_i,
  input wire logic [3:0]   loader_code_i,
  input wire logic         pass_error_i,
  // Memory.
  input wire logic         awready_i,
  input wire logic         wready_i,
  input wire logic         bvalid_i,
  input wire logic [1:0]   bresp_i,
  input wire logic [1:0]   arready_i,
  input wire logic [1:0]   rvalid_i,
  input wire logic [1:0]   rresp_i [2],
  input wire logic [1:0]   rlast_i
);
  // ---- the design
  logic start, busy, done, ready, flush, unit_rst, idle, moved, window_error, read_error;
  logic write_error, awvalid, wvalid, wlast, bready, layer_start;
  logic [63:0] base [2];
  logic [63:0] awaddr, araddr [2];
  logic [31:0] window, program_beat;
  logic [7:0] awlen, arlen [2];
  logic [15:0] wstrb;
  logic [1:0] arvalid, rready;
  logic [3:0] error;
  control_registers u_registers (
    .clk_i, .rst_i, .write_i, .write_addr_i, .write_data_i, .write_strb_i, .read_i, .read_addr_i,
    .read_data_o(), .start_o(start), .busy_i(busy), .done_i(done), .ready_i(ready), .interrupt_o(),
    .base0_o(base[0]), .base1_o(base[1]), .window_o(window), .program_o(program_beat),
    .error_i(error), .error_layer_i('0), .layers_done_i('0), .cycles_i('0), .identity_i('0),
    .counter_addr_o(), .counter_i('0)
  );
  run_control #(.WATCHDOG(WATCHDOG)) u_control (
    .clk_i, .rst_i, .start_i(start), .busy_o(busy), .done_o(done), .ready_o(ready),
    .unit_rst_o(unit_rst), .unit_start_o(), .flush_o(flush), .ports_idle_i(idle),
    .progress_i(step_i || moved), .tables_ok_i, .loaded_i, .layers_i, .layer_we_i(1'b0), .layer_waddr_i('0), .layer_wdata_i('0),
    .layer_o(), .layer_start_o(layer_start), .layer_idle_i,
    .layer_bad_i, .layer_outside_i, .layer_tables_i, .loader_error_i, .loader_code_i, .pass_error_i,
    .window_error_i(window_error), .read_error_i(read_error),
    .write_error_i(write_error), .active_i(1'b0), .wait_load_i(1'b0), .wait_weight_i(1'b0),
    .wait_store_i(1'b0), .conv_saturations_i('0), .activation_saturations_i('0),
    .input_saturation_i(1'b0), .error_o(error), .error_layer_o(), .layers_done_o(), .cycles_o(),
    .counter_addr_i('0), .counter_o()
  );
  memory_ports #(.MAX_BURST(MAX_BURST), .OUTSTANDING(OUTSTANDING)) u_ports (
    .clk_i, .rst_i, .flush_i(flush), .base0_i(base[0]), .base1_i(base[1]), .window_i(window),
    .in_req_valid_i(req_valid_i[0]), .in_req_ready_o(), .in_req_offset_i(req_offset_i[0]),
    .in_req_beats_i(req_beats_i[0]), .in_valid_o(), .in_ready_i, .in_data_o(),
    .out_req_valid_i(req_valid_i[1]), .out_req_ready_o(), .out_req_offset_i(req_offset_i[1]),
    .out_req_beats_i(req_beats_i[1]), .out_valid_i, .out_ready_o(), .out_data_i,
    .program_req_valid_i(req_valid_i[2]), .program_req_ready_o(),
    .program_req_offset_i(req_offset_i[2]), .program_req_beats_i(req_beats_i[2]),
    .program_valid_o(), .program_ready_i, .program_data_o(),
    .maps_idle_o(), .idle_o(idle), .moved_o(moved), .window_error_o(window_error),
    .read_error_o(read_error), .write_error_o(write_error),
    .gmem0_awvalid_o(awvalid), .gmem0_awready_i(awready_i), .gmem0_awaddr_o(awaddr),
    .gmem0_awlen_o(awlen), .gmem0_wvalid_o(wvalid), .gmem0_wready_i(wready_i), .gmem0_wdata_o(),
    .gmem0_wstrb_o(wstrb), .gmem0_wlast_o(wlast), .gmem0_bvalid_i(bvalid_i),
    .gmem0_bready_o(bready), .gmem0_bresp_i(bresp_i),
    .gmem0_arvalid_o(arvalid[0]), .gmem0_arready_i(arready_i[0]), .gmem0_araddr_o(araddr[0]),
    .gmem0_arlen_o(arlen[0]), .gmem0_rvalid_i(rvalid_i[0]), .gmem0_rready_o(rready[0]),
    .gmem0_rdata_i('0), .gmem0_rresp_i(rresp_i[0]), .gmem0_rlast_i(rlast_i[0]),
    .gmem1_arvalid_o(arvalid[1]), .gmem1_arready_i(arready_i[1]), .gmem1_araddr_o(araddr[1]),
    .gmem1_arlen_o(arlen[1]), .gmem1_rvalid_i(rvalid_i[1]), .gmem1_rready_o(rready[1]),
    .gmem1_rdata_i('0), .gmem1_rresp_i(rresp_i[1]), .gmem1_rlast_i(rlast_i[1])
  );

  // ---- the memory: bursts that it has taken. reads: last beat to come; writes: last beat to be
  // taken; answers: of those after that, to be given
  logic [3:0] reads [2];
  logic [3:0] writes, answers;
  logic aw, w, b, none, started = 1'b0;
  assign aw = awvalid && awready_i;
  assign w  = wvalid && wready_i;
  assign b  = bvalid_i && bready;
  // What the accelerator has promised or may still be given.
  assign none = !awvalid && !wvalid && writes == 0 && answers == 0
             && arvalid == 0 && reads[0] == 0 && reads[1] == 0;
  always_ff @(posedge clk_i) begin
    started <= 1'b1;
    writes  <= writes + 4'(aw) - 4'(w && wlast);
    answers <= answers + 4'(w && wlast) - 4'(b);
    for (int i = 0; i < 2; i++) begin
      reads[i] <= reads[i] + 4'(arvalid[i] && arready_i[i])
                - 4'(rvalid_i[i] && rready[i] && rlast_i[i]);
    end
    if (rst_i) begin
      {writes, answers} <= '0;
      for (int i = 0; i < 2; i++) reads[i] <= '0;
    end
  end
  always_comb begin
    assume (rst_i == !started);
    if (loader_error_i) assume (loader_code_i != ERR_NONE);
    if (bvalid_i) assume (answers != 0);
    for (int i = 0; i < 2; i++) if (rvalid_i[i]) assume (reads[i] != 0);
  end

  typedef enum logic [3:0] {  // of run_control
    IDLE, RESET, LOAD, FETCH, CHECK, VERDICT, BEGIN_LAYER, LAYER, END_LAYER, FINISH, ABORT, REST
  } state_e;

  // ---- what was a cycle ago
  logic flush_q, idle_q, start_q, told, owed, aw_waits, w_waits, still_ends;
  logic [1:0] ar_waits;
  logic [63:0] base_q [2];
  logic [31:0] window_q, program_q, window_set, program_set;
  logic [3:0] rest;   // cycles that a run takes to end, or to begin, with nothing open
  logic [3:0] still;  // cycles of a run without any progress and without its end being told
  assign still_ends = step_i || moved || layer_start || done || told;
  always_ff @(posedge clk_i) begin
    flush_q     <= flush;
    idle_q      <= idle;
    start_q     <= start;
    base_q[0]   <= base[0];
    base_q[1]   <= base[1];
    window_q    <= window;
    program_q   <= program_beat;
    window_set  <= u_registers.window;
    program_set <= u_registers.program_beat;
    aw_waits    <= awvalid && !awready_i;
    w_waits     <= wvalid && !wready_i;
    ar_waits    <= arvalid & ~arready_i;
    told        <= !start && (told || done);
    owed        <= start || (owed && !ready);
    rest        <= busy && flush && none ? rest + 1'b1 : '0;
    still       <= busy && !still_ends ? still + 1'b1 : '0;
    if (rst_i) begin
      {aw_waits, w_waits, ar_waits, told, owed, rest, still} <= '0;
      {flush_q, idle_q} <= '1;
    end
  end

  logic [2:0] queued;  // lengths of bursts whose data have not all been handed on
  assign queued = u_ports.u_map_writer.u_lengths.tail - u_ports.u_map_writer.u_lengths.head;

  always_comb if (started) begin
    // Starts.
    if (start) starts_at_rest: assert (!busy && none);
    if (!busy) idle_at_rest: assert (none);
    if (start_q) begin
      arguments_taken: assert (window == window_set && program_beat == program_set);
    end else begin
      arguments_stand: assert (base[0] == base_q[0] && base[1] == base_q[1] && window == window_q
                               && program_beat == program_q);
    end
    // What is proved of each port takes this for granted.
    if (flush_q && !idle_q) flush_stays: assert (flush);
    if (start_q) moved_at_rest: assert (flush_q && idle_q);
    // Between runs, and after what went wrong.
    if (flush_q) begin
      no_address: assert ((!awvalid || aw_waits) && (arvalid & ~ar_waits) == 0);
      no_write:   assert (!wvalid || w_waits || wstrb == 0);
    end
    // Ends: told once, and ready once, never before that; at once when memory has answered.
    if (done) told_once: assert (!told && owed);
    if (ready) ready_once: assert (owed && (told || done) && none);
    if (done && !ready) told_early: assert (error != ERR_NONE && busy);
    owed_exact: assert (owed == (busy || ready));
    rests_soon: assert (rest <= 4);
    told_soon: assert (still <= 2 * (1 << WATCHDOG) + 4);

    c_told: cover (done && !ready && awvalid && writes != 0 && reads[1] != 0);
    c_later: cover (ready && !done && told);
    c_again: cover (start && told && window != window_set && window > 5);

    // Invariants.
    i_state: assert (u_control.state <= REST);
    if (busy && flush && u_control.state != RESET) i_error: assert (error != ERR_NONE);
    i_told: assert (!busy || u_control.told == (told || done));
    if (busy && !flush) i_untold: assert (!told && !done);
    if (flush_q) i_left: assert (u_ports.u_map_reader.u_splitter.left == 0
                                 && u_ports.u_map_writer.u_splitter.left == 0
                                 && u_ports.u_program_reader.u_splitter.left == 0);
    if (!busy && !flush_q) i_ready: assert (ready);
    i_quiet: assert (u_control.quiet <= 1 << WATCHDOG);
    if (u_control.state == RESET) begin
      i_reset: assert (u_control.settle <= 1 && 4'(u_control.quiet) <= u_control.settle && !told
                       && !done && none && flush_q
                       && rest <= u_control.settle);
    end
    if (u_control.state == ABORT) i_abort_rest: assert (rest <= 4'(flush_q));
    if (u_control.state == REST) i_rest_rest: assert (rest <= 2 && flush_q);
    if (busy && !told && !done) begin
      case (u_control.state)
        ABORT:   i_abort: assert (still <= 4'(u_control.quiet) + (1 << WATCHDOG) + 1);
        REST:    i_rest:  assert (still <= 2 * (1 << WATCHDOG) + 2);
        default: i_still: assert (still == 4'(u_control.quiet));
      endcase
    end
    i_writes: assert (4'(u_ports.u_map_writer.pending) == writes + answers + 4'(awvalid)
                      && u_ports.u_map_writer.pending <= OUTSTANDING);
    i_queued: assert (4'(queued) == writes - 4'(wvalid && wlast) && writes <= OUTSTANDING
                      && answers <= OUTSTANDING && (!wvalid || writes != 0));
    i_reads_0: assert (4'(u_ports.u_map_reader.pending) == reads[0] + 4'(arvalid[0])
                       && reads[0] <= OUTSTANDING && u_ports.u_map_reader.pending <= OUTSTANDING);
    i_reads_1: assert (4'(u_ports.u_program_reader.pending) == reads[1] + 4'(arvalid[1])
                       && reads[1] <= OUTSTANDING && u_ports.u_program_reader.pending <= OUTSTANDING);
  end
endmodule

`default_nettype wire
