// axi_reader: keeps AXI's rules, asks for nothing outside the window, delivers every beat once and in
// order, never stops but for someone outside, and comes to rest within a bounded time of flush_i.
// The memory keeps AXI's rules and is free otherwise; flush_i, once given, stays until rest (flush_check
// proves that it does).
`default_nettype none

module axi_reader_check #(
  parameter int MAX_BURST   = 4,
  parameter int OUTSTANDING = 2
) (
  input wire logic         clk_i,
  input wire logic         rst_i,
  input wire logic         flush_i,
  input wire logic [63:0]  base_i,
  input wire logic [31:0]  window_i,
  input wire logic         req_valid_i,
  input wire logic [31:0]  req_offset_i,
  input wire logic [31:0]  req_beats_i,
  input wire logic         data_ready_i,
  input wire logic         arready_i,
  input wire logic         rvalid_i,
  input wire logic [127:0] rdata_i,
  input wire logic [1:0]   rresp_i,
  input wire logic         rlast_i,
  input wire logic         mark_i
);
  localparam int SLOW = 2;  // cycles that a flushed memory may let pass between two actions
  localparam int MOST = OUTSTANDING * (MAX_BURST + 1) * (SLOW + 1);

  logic [63:0] base;  // any values, which change only at rest, as flush_check proves
  logic [31:0] window;
  logic req_ready, data_valid, idle, error_window, error_bus, arvalid, rready;
  logic [127:0] data;
  logic [63:0] araddr;
  logic [7:0] arlen;
  axi_reader #(.MAX_BURST(MAX_BURST), .OUTSTANDING(OUTSTANDING)) dut (
    .clk_i, .rst_i, .flush_i, .base_i(base), .window_i(window), .req_valid_i,
    .req_ready_o(req_ready), .req_offset_i, .req_beats_i, .data_valid_o(data_valid),
    .data_ready_i, .data_o(data), .idle_o(idle), .error_window_o(error_window),
    .error_bus_o(error_bus), .arvalid_o(arvalid), .arready_i, .araddr_o(araddr), .arlen_o(arlen),
    .rvalid_i, .rready_o(rready), .rdata_i, .rresp_i, .rlast_i
  );

  always_ff @(posedge clk_i) begin
    if (flush_i && idle) begin
      base   <= base_i;
      window <= window_i;
    end
  end

  // ---- the memory: beats to come of the bursts that it has taken, the oldest first
  logic [8:0] burst [OUTSTANDING];
  logic [3:0] bursts;
  logic ar, r, finished, taken, started = 1'b0, ar_waits, r_waits, flushed, bus_failed;
  logic [71:0] waiting_ar;
  logic [130:0] waiting_r;
  assign ar       = arvalid && arready_i;
  assign r        = rvalid_i && rready;
  assign finished = r && rlast_i;
  assign taken    = dut.take_burst;
  always_ff @(posedge clk_i) begin
    started    <= 1'b1;
    ar_waits   <= arvalid && !arready_i;
    r_waits    <= rvalid_i && !rready;
    waiting_ar <= {araddr, arlen};
    waiting_r  <= {rdata_i, rresp_i, rlast_i};
    flushed    <= flush_i;
    bus_failed <= r && rresp_i != 0;
    bursts     <= bursts + 4'(ar) - 4'(finished);
    for (int i = 0; i < OUTSTANDING; i++) begin
      if (finished) burst[i] <= i + 1 < OUTSTANDING ? burst[(i + 1) % OUTSTANDING] : '0;
      else if (i == 0 && r) burst[i] <= burst[i] - 1'b1;
      if (ar && bursts - 4'(finished) == 4'(i)) burst[i] <= 9'(arlen) + 1'b1;
    end
    if (rst_i) begin
      {ar_waits, r_waits, flushed, bus_failed, bursts} <= '0;
      for (int i = 0; i < OUTSTANDING; i++) burst[i] <= '0;
    end
  end
  logic [7:0] due, due_sum;  // beats of bursts that have been offered; the same, added up
  always_comb begin
    due_sum = arvalid ? arlen + 1'b1 : '0;
    for (int i = 0; i < OUTSTANDING; i++) due_sum = due_sum + 8'(burst[i]);
  end
  always_ff @(posedge clk_i) begin
    due <= due + (taken ? dut.burst_len + 1'b1 : '0) - 8'(r);
    if (rst_i) due <= '0;
  end
  always_comb begin
    assume (rst_i == !started);
    assume (base[11:0] == 0);
    if (rvalid_i) assume (bursts != 0 && rlast_i == (burst[0] == 1));
    if (r_waits) assume (rvalid_i && {rdata_i, rresp_i, rlast_i} == waiting_r);
    if (started && flushed && !idle) assume (flush_i);
  end

  // ---- requests and beats
  logic accept, fits;
  logic [32:0] next;
  logic [31:0] left, undelivered;  // of the last request; of all requests since the last flush
  logic [7:0] inflight;            // beats of bursts offered since then that are to be delivered
  logic [32:0] offset;  // of the burst that is offered
  logic [7:0] len;
  assign accept = req_valid_i && req_ready && !flush_i;
  assign fits   = req_beats_i != 0 && 33'(req_offset_i) + 33'(req_beats_i) <= 33'(window);
  always_ff @(posedge clk_i) begin
    if (taken) begin
      offset <= next;
      len    <= dut.burst_len;
      next   <= next + 33'(dut.burst_len) + 1'b1;
      left   <= left - 32'(dut.burst_len) - 1'b1;
    end
    if (accept) begin
      next <= 33'(req_offset_i);
      left <= fits ? req_beats_i : '0;
    end
    undelivered <= undelivered + (accept && fits ? req_beats_i : '0)
                 - 32'(data_valid && data_ready_i);
    inflight <= inflight + (taken ? dut.burst_len + 1'b1 : '0) - 8'(data_valid && data_ready_i);
    if (rst_i || flush_i) {left, undelivered, inflight} <= '0;
  end

  // ---- one beat, chosen by the solver
  logic followed;
  logic [4:0] held, ahead;
  logic [3:0] place;
  logic [127:0] beat;
  logic push, pop;
  assign push  = r && !flush_i;
  assign pop   = data_valid && data_ready_i;
  assign place = dut.u_data.head[3:0] + ahead[3:0];
  always_ff @(posedge clk_i) begin
    held <= held + 5'(push) - 5'(pop);
    if (followed && pop) begin
      ahead    <= ahead - 1'b1;
      followed <= ahead != 0;
    end
    if (push && mark_i && !followed) begin
      followed <= 1'b1;
      ahead    <= held - 5'(pop);
      beat     <= rdata_i;
    end
    if (rst_i || flush_i) {followed, held} <= '0;
  end

  // ---- rest: cycles since the flush began, cycles since the memory last acted
  logic [7:0] since, actions;
  logic [3:0] slow;
  logic acts;
  assign actions = due + 8'(arvalid);  // that the memory still has to take
  assign acts    = ar || rvalid_i;
  always_ff @(posedge clk_i) begin
    since <= flush_i ? since + 8'(since != '1) : '0;
    slow  <= flush_i && !acts && actions != 0 ? slow + 1'b1 : '0;
    if (rst_i) {since, slow} <= '0;
  end
  always_comb if (started) begin
    assume (slow <= 4'(SLOW));
    if (slow == 4'(SLOW) && flush_i && actions != 0) assume (acts);
  end

  always_comb if (started) begin
    if (ar_waits) ar_stable: assert (arvalid && {araddr, arlen} == waiting_ar);
    if (arvalid) begin
      ar_in_order:  assert (araddr == base + {27'b0, offset, 4'b0} && arlen == len);
      ar_in_window: assert (offset + 33'(len) + 1'b1 <= 33'(window));
      ar_in_page:   assert (13'(araddr[11:0]) + {1'b0, arlen, 4'b0} + 13'd16 <= 13'd4096);
    end
    pending_exact: assert (4'(dut.pending) == bursts + 4'(arvalid));
    pending_bound: assert (4'(dut.pending) <= 4'(OUTSTANDING) && bursts <= 4'(OUTSTANDING));
    idle_exact:    assert (idle == (due == 0 && left == 0));
    if (flush_i) flush_takes: assert (rready);
    if (flushed) no_new: assert (!arvalid || ar_waits);
    if (flushed) dropped: assert (!data_valid);
    if (since > MOST) at_rest: assert (idle);
    bus_told: assert (error_bus == bus_failed);
    // Beats.
    all_counted: assert (undelivered == left + 32'(inflight));
    if (!flushed) all_on_the_way: assert (inflight == due + 8'(held));
    if (!flush_i && undelivered != 0) begin
      not_stuck: assert (data_valid || arvalid || taken || (bursts != 0 && rready));
    end
    valid_exact: assert (data_valid == (held != 0));
    if (followed && ahead == 0) in_order: assert (data == beat);
    // Invariants.
    i_splitter: assert (dut.u_splitter.left == left);
    if (left != 0) i_next: assert (33'(dut.burst_offset) == next && next + 33'(left) <= 33'(window));
    i_due: assert (due == due_sum);
    i_len: assert (!arvalid || arlen < MAX_BURST);
    for (int i = 0; i < OUTSTANDING; i++) begin
      assert ((burst[i] == 0) == (4'(i) >= bursts) && burst[i] <= MAX_BURST);
    end
    i_held: assert (held <= 16 && held == 5'(dut.u_data.tail - dut.u_data.head));
    if (followed) i_followed: assert (ahead < held && dut.u_data.mem[place] == beat);
    if (actions != 0) i_rest: assert (since + (SLOW + 1) * actions <= MOST + 8'(slow));
    else i_slow: assert (slow == 0);
    if (flushed && !flush_i) i_rested: assert (due == 0 && held == 0);

    c_full: cover (held == 16 && bursts == 4'(OUTSTANDING));
    c_flush: cover (since == 7 && idle && beat == '1);
    c_again: cover (!flush_i && bursts == 2 && since == 0 && offset[0] && followed && beat[0]);
    c_delivered: cover (followed && pop && ahead == 0 && beat == '1 && undelivered == 5);
  end
endmodule

`default_nettype wire
