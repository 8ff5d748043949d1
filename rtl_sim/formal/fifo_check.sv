// fifo: every word pushed comes out once, in order. The solver chooses one word (mark_i) to follow;
// what holds for any word holds for all. Reset may come at any time.
`default_nettype none

module fifo_check #(
  parameter int WIDTH = 8,
  parameter int DEPTH = 8
) (
  input wire logic             clk_i,
  input wire logic             rst_i,
  input wire logic             valid_i,
  input wire logic [WIDTH-1:0] data_i,
  input wire logic             ready_i,
  input wire logic             mark_i
);
  localparam int CW = $clog2(DEPTH + 1);

  logic ready, valid, push, pop;
  logic [WIDTH-1:0] data;
  fifo #(.WIDTH(WIDTH), .DEPTH(DEPTH)) dut (
    .clk_i, .rst_i, .valid_i, .ready_o(ready), .data_i, .valid_o(valid), .ready_i, .data_o(data)
  );
  assign push = valid_i && ready;
  assign pop  = valid && ready_i;

  // Words that are inside, by the count of pushes and pops alone.
  logic started = 1'b0, followed, stalled;
  logic [CW-1:0] held, ahead;  // ahead: words that leave before the followed one
  logic [WIDTH-1:0] word, stalled_data;
  always_ff @(posedge clk_i) begin
    started      <= 1'b1;
    stalled      <= valid && !ready_i && !rst_i;
    stalled_data <= data;
    held       <= held + CW'(push) - CW'(pop);
    if (followed && pop) begin
      ahead    <= ahead - 1'b1;
      followed <= ahead != 0;
    end
    if (push && mark_i && !followed) begin
      followed <= 1'b1;
      ahead    <= held - CW'(pop);
      word     <= data_i;
    end
    if (rst_i) begin
      held   <= '0;
      followed <= 1'b0;
    end
  end

  logic [$clog2(DEPTH)-1:0] place;
  assign place = dut.head[$clog2(DEPTH)-1:0] + ahead[$clog2(DEPTH)-1:0];
  always_comb begin
    if (!started) assume (rst_i);
    else begin
      no_overflow:  assert (held <= CW'(DEPTH));
      full:         assert (ready == (held != CW'(DEPTH)));
      empty:        assert (valid == (held != 0));
      if (stalled) stable: assert (valid && data == stalled_data);
      if (followed) still_inside: assert (ahead < held);
      if (followed && ahead == 0) in_order: assert (data == word);
      // Invariants that carry the induction.
      i_count: assert (CW'(dut.tail - dut.head) == held);
      if (followed) i_stored: assert (dut.mem[place] == word);

      c_full: cover (held == CW'(DEPTH) && valid_i);
      c_followed: cover (followed && pop && ahead == 0 && word == '1 && held > CW'(3));
      c_wrapped: cover (held == CW'(DEPTH) && dut.tail[$clog2(DEPTH)-1:0] == 2);
    end
  end
endmodule

`default_nettype wire
