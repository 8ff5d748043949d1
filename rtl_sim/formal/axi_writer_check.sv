// axi_writer: keeps AXI's rules, writes nothing outside the window, each beat once and in order, never
// stops but for someone outside, and after flush_i writes nothing more and comes to rest within a
// bounded time. The memory keeps AXI's rules and is free otherwise; flush_i, once given, stays until
// rest (flush_check proves that it does).
`default_nettype none

module axi_writer_check #(
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
  input wire logic         data_valid_i,
  input wire logic [127:0] data_i,
  input wire logic         awready_i,
  input wire logic         wready_i,
  input wire logic         bvalid_i,
  input wire logic [1:0]   bresp_i
);
  localparam int SLOW = 2;  // cycles that a flushed memory may let pass between two actions
  localparam int MOST = (OUTSTANDING * (MAX_BURST + 3) + 1) * (SLOW + 1);

  logic [63:0] base;  // any values, which change only at rest, as flush_check proves
  logic [31:0] window;
  logic req_ready, data_ready, idle, error_window, error_bus, awvalid, wvalid, wlast, bready;
  logic [127:0] wdata;
  logic [63:0] awaddr;
  logic [15:0] wstrb;
  logic [7:0] awlen;
  axi_writer #(.MAX_BURST(MAX_BURST), .OUTSTANDING(OUTSTANDING)) dut (
    .clk_i, .rst_i, .flush_i, .base_i(base), .window_i(window), .req_valid_i,
    .req_ready_o(req_ready), .req_offset_i, .req_beats_i, .data_valid_i,
    .data_ready_o(data_ready), .data_i, .idle_o(idle), .error_window_o(error_window),
    .error_bus_o(error_bus), .awvalid_o(awvalid), .awready_i, .awaddr_o(awaddr), .awlen_o(awlen),
    .wvalid_o(wvalid), .wready_i, .wdata_o(wdata), .wstrb_o(wstrb), .wlast_o(wlast), .bvalid_i,
    .bready_o(bready), .bresp_i
  );

  always_ff @(posedge clk_i) begin
    if (flush_i && idle) begin
      base   <= base_i;
      window <= window_i;
    end
  end

  // ---- the memory: beats to come of the bursts that it has taken, the oldest first; answers due
  logic [7:0] burst [OUTSTANDING];
  logic [3:0] bursts, answers;
  logic aw, w, b, finished, taken, started = 1'b0, aw_waits, w_waits, b_waits, flushed, bus_failed;
  logic [71:0] waiting_aw;
  logic [144:0] waiting_w;
  assign aw       = awvalid && awready_i;
  assign w        = wvalid && wready_i;
  assign b        = bvalid_i && bready;
  assign finished = w && burst[0] == 1;
  assign taken    = dut.take_burst;
  always_ff @(posedge clk_i) begin
    started    <= 1'b1;
    aw_waits   <= awvalid && !awready_i;
    w_waits    <= wvalid && !wready_i;
    b_waits    <= bvalid_i && !bready;
    waiting_aw <= {awaddr, awlen};
    waiting_w  <= {wdata, wstrb, wlast};
    flushed    <= flush_i;
    bus_failed <= b && bresp_i != 0;
    bursts     <= bursts + 4'(aw) - 4'(finished);
    answers    <= answers + 4'(finished) - 4'(b);
    for (int i = 0; i < OUTSTANDING; i++) begin
      if (finished) burst[i] <= i + 1 < OUTSTANDING ? burst[(i + 1) % OUTSTANDING] : '0;
      else if (i == 0 && w) burst[i] <= burst[i] - 1'b1;
      if (aw && bursts - 4'(finished) == 4'(i)) burst[i] <= awlen + 1'b1;
    end
    if (rst_i) begin
      {aw_waits, w_waits, b_waits, flushed, bus_failed, bursts, answers} <= '0;
      for (int i = 0; i < OUTSTANDING; i++) burst[i] <= '0;
    end
  end
  always_comb begin
    assume (rst_i == !started);
    assume (base[11:0] == 0);
    if (bvalid_i) assume (answers != 0);
    if (started && b_waits) assume (bvalid_i);
    if (started && flushed && !idle) assume (flush_i);
  end

  // ---- requests and beats
  logic accept, fits, data_taken, came;
  logic [32:0] next, offset;    // of the request, of the burst that is offered
  logic [31:0] left, unwritten; // beats of the last request; of all requests since the last flush
  logic [7:0] len, inflight;    // inflight: beats of bursts offered since then, not yet taken in
  logic [7:0] due, due_sum;     // beats of bursts offered and not written; the same, added up
  logic [127:0] beat;
  assign accept     = req_valid_i && req_ready && !flush_i;
  assign fits       = req_beats_i != 0 && 33'(req_offset_i) + 33'(req_beats_i) <= 33'(window);
  assign data_taken = data_valid_i && data_ready;
  always_comb begin
    due_sum = awvalid ? awlen + 1'b1 : '0;
    for (int i = 0; i < OUTSTANDING; i++) due_sum = due_sum + burst[i];
  end
  always_ff @(posedge clk_i) begin
    came <= data_taken;
    if (data_taken) beat <= data_i;
    due <= due + (taken ? dut.burst_len + 1'b1 : '0) - 8'(w);
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
    unwritten <= unwritten + (accept && fits ? req_beats_i : '0) - 32'(data_taken);
    inflight  <= inflight + (taken ? dut.burst_len + 1'b1 : '0) - 8'(data_taken);
    if (rst_i || flush_i) {left, unwritten, inflight} <= '0;
    if (rst_i) {due, came} <= '0;
  end

  // ---- rest: cycles since the flush began, cycles since the memory last acted
  logic [7:0] since, actions;
  logic [3:0] slow;
  logic acts, turn, gap;
  assign gap     = bursts != 0 && !wvalid;  // one cycle from a burst's address to its first beat
  assign actions = due + 8'(bursts) + 8'(answers) + (awvalid ? 8'd3 : 8'd0) + 8'(gap);
  assign turn    = awvalid || wvalid || answers != 0;  // of the memory
  assign acts    = aw || w || b;
  always_ff @(posedge clk_i) begin
    since <= flush_i ? since + 8'(since != '1) : '0;
    slow  <= flush_i && turn && !acts && !gap ? slow + 1'b1 : '0;
    if (rst_i) {since, slow} <= '0;
  end
  always_comb if (started) begin
    assume (slow <= 4'(SLOW));
    if (slow == 4'(SLOW) && flush_i && turn && !gap) assume (acts);
  end

  // Lengths queued in the design, seen from the memory's side: the burst whose last beat stands in
  // the output register has left the queue.
  logic ending;
  logic [2:0] queued;
  logic [7:0] first, second;
  assign ending = wvalid && wlast;
  assign queued = dut.u_lengths.tail - dut.u_lengths.head;
  assign first  = dut.u_lengths.mem[dut.u_lengths.head[1:0]] + 1'b1;
  assign second = dut.u_lengths.mem[2'(dut.u_lengths.head[1:0] + 1'b1)] + 1'b1;

  always_comb if (started) begin
    if (aw_waits) aw_stable: assert (awvalid && {awaddr, awlen} == waiting_aw);
    if (w_waits) w_stable: assert (wvalid && {wdata, wstrb, wlast} == waiting_w);
    if (awvalid) begin
      aw_in_order:  assert (awaddr == base + {27'b0, offset, 4'b0} && awlen == len);
      aw_in_window: assert (offset + 33'(len) + 1'b1 <= 33'(window));
      aw_in_page:   assert (13'(awaddr[11:0]) + {1'b0, awlen, 4'b0} + 13'd16 <= 13'd4096);
    end
    if (wvalid) w_of_burst: assert (bursts != 0 && wlast == (burst[0] == 1));
    // A new beat is the one that came in, or one that writes nothing.
    if (came) w_in_order: assert (wvalid && !w_waits && wdata == beat && wstrb == '1);
    else if (wvalid && !w_waits) w_empty: assert (wstrb == 0);
    if (data_taken) no_overwrite: assert (!wvalid || wready_i);
    if (data_taken) no_excess: assert (inflight != 0);
    if (flush_i) not_taken: assert (!data_ready);
    if (flushed) begin
      no_new: assert (!awvalid || aw_waits);
      no_write: assert (!wvalid || w_waits || wstrb == 0);
    end
    pending_exact: assert (4'(dut.pending) == bursts + answers + 4'(awvalid));
    pending_bound: assert (4'(dut.pending) <= 4'(OUTSTANDING));
    idle_exact:    assert (idle == (due == 0 && answers == 0 && left == 0));
    if (since > MOST) at_rest: assert (idle);
    bus_told: assert (error_bus == bus_failed);
    no_overflow: assert (!aw || dut.u_lengths.ready_o);
    all_counted: assert (unwritten == left + 32'(inflight));
    if (!flush_i && unwritten != 0) begin
      not_stuck: assert (awvalid || wvalid || answers != 0 || taken || data_ready);
    end
    // Invariants.
    i_splitter: assert (dut.u_splitter.left == left);
    if (left != 0) i_next: assert (33'(dut.burst_offset) == next && next + 33'(left) <= 33'(window));
    i_len: assert (!awvalid || awlen < MAX_BURST);
    for (int i = 0; i < OUTSTANDING; i++) begin
      assert ((burst[i] == 0) == (4'(i) >= bursts) && burst[i] <= MAX_BURST);
    end
    i_due: assert (due == due_sum);
    i_queued: assert (4'(queued) == bursts - 4'(ending));
    if (queued != 0) begin
      i_first: assert (first - dut.beat == (ending ? burst[1] : burst[0] - 8'(wvalid)));
      i_beat:  assert (first > dut.beat && first <= MAX_BURST);
    end else i_beat_0: assert (dut.beat == 0);
    if (queued == 2) i_second: assert (second == burst[1]);
    if (!flushed) i_inflight: assert (inflight == due - 8'(wvalid));
    if (flushed && !flush_i) i_rested: assert (due == 0);
    if (actions != 0) i_rest: assert (since + (SLOW + 1) * actions <= MOST + 8'(slow));
    else i_slow: assert (slow == 0);

    c_full: cover (dut.pending == OUTSTANDING && bursts == 1 && answers == 1 && wlast && wvalid);
    c_long: cover (w && burst[0] == 1 && burst[1] == 3 && wdata == '1 && unwritten == 5);
    c_flush: cover (since == 9 && idle && beat == '1);
    c_partial: cover (flushed && w && wstrb == 0 && burst[0] == 2 && came == 0 && beat[0]);
    c_again: cover (!flush_i && wvalid && wlast && wstrb != 0 && offset[5] && left != 0);
  end
endmodule

`default_nettype wire
