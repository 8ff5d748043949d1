// burst_splitter: the bursts of a request cover exactly [offset, offset + beats), in order, as few as
// the 4 KB boundaries allow, none beyond the window; a request that does not fit yields one error
// and no burst. Window and requests are free in every cycle, reset may come at any time.
`default_nettype none

module burst_splitter_check #(
  parameter int MAX_BURST = 64
) (
  input wire logic        clk_i,
  input wire logic        rst_i,
  input wire logic [31:0] window_i,
  input wire logic        req_valid_i,
  input wire logic [31:0] req_offset_i,
  input wire logic [31:0] req_beats_i,
  input wire logic        burst_ready_i
);
  localparam int PAGE = 4096 / 16;  // beats between boundaries that AXI bursts must not cross

  logic req_ready, burst_valid, error;
  logic [31:0] burst_offset;
  logic [7:0] burst_len;
  burst_splitter #(.MAX_BURST(MAX_BURST)) dut (
    .clk_i, .rst_i, .window_i, .req_valid_i, .req_ready_o(req_ready), .req_offset_i, .req_beats_i,
    .burst_valid_o(burst_valid), .burst_ready_i, .burst_offset_o(burst_offset),
    .burst_len_o(burst_len), .error_o(error)
  );

  // What is left of the request that was taken last.
  logic started = 1'b0, accept, fits, burst, refused, stalled;
  logic [31:0] window;
  logic [32:0] next, left, beats, room;
  logic [39:0] stalled_burst;
  assign accept = req_valid_i && req_ready;
  assign fits   = req_beats_i != 0 && 33'(req_offset_i) + 33'(req_beats_i) <= 33'(window_i);
  assign burst  = burst_valid && burst_ready_i;
  assign beats  = 33'(burst_len) + 1;
  assign room   = 33'(MAX_BURST) - next % 33'(MAX_BURST);
  always_ff @(posedge clk_i) begin
    started       <= 1'b1;
    refused       <= accept && !fits && !rst_i;
    stalled       <= burst_valid && !burst_ready_i && !rst_i;
    stalled_burst <= {burst_offset, burst_len};
    if (burst) begin
      next <= next + beats;
      left <= left - beats;
    end
    if (accept) begin
      next   <= 33'(req_offset_i);
      left   <= fits ? 33'(req_beats_i) : '0;
      window <= window_i;
    end
    if (rst_i) left <= '0;
  end

  always_comb begin
    if (!started) assume (rst_i);
    else begin
      offered: assert (burst_valid == (left != 0));
      error_told: assert (error == refused);
      if (stalled) begin
        stable: assert (burst_valid && {burst_offset, burst_len} == stalled_burst);
      end
      if (burst_valid) begin
        no_gap:    assert (33'(burst_offset) == next);
        no_excess: assert (beats <= left);
        in_window: assert (33'(burst_offset) + beats <= 33'(window));
        in_page:   assert (33'(burst_offset) % PAGE + beats <= PAGE);
        // Nothing is cut that need not be: a request ends after beats / MAX_BURST + 2 bursts.
        longest:   assert (beats == (left < room ? left : room));
      end
      // A request is taken when nothing, or the burst that leaves, is left of the one before.
      complete: assert (req_ready == (left == 0 || (burst_ready_i && left == beats)));
      i_left: assert (33'(dut.left) == left);
      if (left != 0) i_offset: assert (33'(dut.offset) == next && next + left <= 33'(window));

      c_three_bursts: cover (burst && left == beats && next == 3 * MAX_BURST && window == 300);
      c_back_to_back: cover (burst && accept && fits);
      c_refused: cover (error && accept && fits);
      c_last_beat: cover (burst && next + beats == 33'h0FFFFFFFF);
    end
  end
endmodule

`default_nettype wire
