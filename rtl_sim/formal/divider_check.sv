// divider: y = sat16(sign(x) * ((|x| * 2^k + (n >> 1)) div n)) for all x, n >= 1, k <= 36, a result
// 19 cycles after the question. A quotient is right if the dividend less n << j for each of its bits
// j leaves 0 .. n - 1; that difference is taken here beside the pipeline, a bit per stage.
`default_nettype none

module divider_check (
  input wire logic               clk_i,
  input wire logic               valid_i,
  input wire logic signed [15:0] x_i,
  input wire logic [23:0]        n_i,
  input wire logic [5:0]         k_i
);
  localparam int BITS = 16;

  logic signed [15:0] y;
  logic clipped;
  divider dut (.clk_i, .valid_i, .x_i, .n_i, .k_i, .y_o(y), .clipped_o(clipped));
  always_comb if (valid_i) assume (n_i != 0 && k_i <= 36);

  // The dividend as it is asked for, and from it whether the quotient fits into 16 bits.
  logic [BITS+2:0] valid = '0;
  logic [52:0] whole, dividend, limit;
  logic [23:0] n_first;
  logic negative_first;

  // Beside stage i: what is left of the dividend, what was left after the first quotient bit.
  logic [39:0] left [BITS+1], left_1 [BITS+1];
  logic [23:0] n [BITS+1];
  logic [15:0] quotient [BITS+1];
  logic [BITS:0] negative, too_large;
  always_ff @(posedge clk_i) begin
    valid          <= {valid[BITS+1:0], valid_i};
    whole          <= 53'(x_i[15] ? -17'(x_i) : 17'(x_i)) << k_i;
    n_first        <= n_i;
    negative_first <= x_i < 0;
    dividend       <= whole + 53'(n_first >> 1);
    n[0]           <= n_first;
    negative[0]    <= negative_first;
    for (int i = 0; i < BITS; i++) begin
      n[i+1]        <= n[i];
      negative[i+1] <= negative[i];
      too_large[i+1]    <= too_large[i];
    end
  end
  // The first dividend whose quotient does not fit.
  assign limit = {14'b0, n[0], 15'b0} + (negative[0] ? 53'(n[0]) : '0);
  assign too_large[0] = dividend >= limit;
  assign left[0]     = dividend[39:0];
  assign quotient[0] = '0;
  for (genvar i = 0; i < BITS; i++) begin : g_stage
    logic [39:0] left_q, left_1_q;
    logic [15:0] quotient_q;
    logic bit_q;
    always_ff @(posedge clk_i) begin
      left_q     <= left[i];
      left_1_q   <= left_1[i];
      quotient_q <= quotient[i];
    end
    assign bit_q         = dut.low[i+1][0];  // that the design has found
    assign left[i+1]     = left_q - (bit_q ? 40'(n[i+1]) << (BITS - 1 - i) : '0);
    assign left_1[i+1]   = i == 0 ? left[1] : left_1_q;
    assign quotient[i+1] = {quotient_q[14:0], bit_q};
    always_comb if (valid[i+2] && !dut.beyond[i+1] && bit_q) begin
      assert (left_q >= 40'(n[i+1]) << (BITS - 1 - i));
    end
  end

  // The last stage, and what came out of it.
  logic [39:0] end_left;
  logic [23:0] end_n;
  logic [15:0] end_quotient;
  logic end_negative, end_too_large, was_clipped;
  always_ff @(posedge clk_i) begin
    was_clipped  <= valid[BITS+2] && clipped;
    end_left     <= left[BITS];
    end_n        <= n[BITS];
    end_quotient <= quotient[BITS];
    end_negative <= negative[BITS];
    end_too_large    <= too_large[BITS];
  end

  always_comb begin
    if (valid[BITS+2]) begin
      fits: assert (clipped == end_too_large);
      if (clipped) saturated: assert (y == (end_negative ? -32768 : 32767));
      else begin
        exact: assert (end_left < 40'(end_n));
        value: assert (y == 16'(end_negative ? -end_quotient : end_quotient));
        no_wrap: assert (end_quotient <= (end_negative ? 16'h8000 : 16'h7FFF));
      end
    end
    // Invariants: stage i of the design holds what is left, above and below its binary point.
    if (valid[0]) begin
      assert (dut.valid[0] && dut.n0 == n_first && n_first != 0 && dut.sign0 == negative_first);
      assert (53'(dut.shifted) == whole && whole <= 53'(1) << 51);
    end
    if (valid[1]) assert (53'(dut.dividend) == dividend);
    for (int i = 0; i <= BITS; i++) begin
      if (valid[i+1]) begin
        assert (dut.valid[i+1]);
        assert (n[i] != 0 && n[i] == dut.n[i] && negative[i] == dut.sign[i]);
        if (dut.beyond[i]) assert (too_large[i]);
        else begin
          assert (dut.rest[i] < n[i]);
          assert (left[i] >> (BITS - i) == 40'(dut.rest[i]));
          assert (dut.low[i] >> i == (left[i][15:0] & 16'((1 << (BITS - i)) - 1)));
          assert ((dut.low[i] & 16'((1 << i) - 1)) == quotient[i]);
          if (i > 0) begin
            // Large: the first bit, and of a negative quotient any other bit as well.
            assert (too_large[i] == (quotient[i][i-1] && (!negative[i] || left_1[i] >= 40'(n[i]))));
            if ((quotient[i] & 16'((1 << (i - 1)) - 1)) != 0) assert (left_1[i] >= 40'(n[i]));
            else assert (left_1[i] == left[i]);
          end
        end
      end
    end
    // One question after the other: one is clipped, the next is not.
    c_both: cover (valid[BITS+2] && was_clipped && !clipped && y < -3 && end_left > 9);
  end
endmodule

`default_nettype wire
