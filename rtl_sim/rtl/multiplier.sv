// Product of the IGDN for one position: sat16((x * n + 2^(s-1)) >> s).
// Latency LATENCY = 5 cycles, one result per cycle. One DSP48E2.
`default_nettype none

module multiplier (
  input  wire logic               clk_i,
  input  wire logic               valid_i,
  input  wire logic signed [15:0] x_i,
  input  wire logic [23:0]        n_i,  // 1 .. 2^24 - 1
  input  wire logic [5:0]         s_i,  // 1 .. 47
  output logic signed [15:0]      y_o,
  output logic                    clipped_o
);
  logic signed [15:0] x;
  logic [23:0] n;
  logic [5:0] s0, s1, s2;
  logic [2:0] s3;
  logic signed [40:0] product;
  logic signed [47:0] rounded, coarse, fine;
  logic [3:0] valid;

  assign fine = coarse >>> s3;
  always_ff @(posedge clk_i) begin
    valid <= {valid[2:0], valid_i};
    if (valid_i) begin
      x  <= x_i;
      n  <= n_i;
      s0 <= s_i;
    end
    if (valid[0]) begin
      product <= x * $signed({1'b0, n});
      s1      <= s0;
    end
    if (valid[1]) begin
      rounded <= 48'(product) + $signed((48'd1 << s1) >> 1);
      s2      <= s1;
    end
    if (valid[2]) begin
      coarse <= rounded >>> {s2[5:3], 3'b0};
      s3     <= s2[2:0];
    end
    if (valid[3]) begin
      clipped_o <= fine > 48'sd32767 || fine < -48'sd32768;
      y_o       <= fine > 48'sd32767 ? 16'sh7FFF : fine < -48'sd32768 ? 16'sh8000 : fine[15:0];
    end
  end
endmodule

`default_nettype wire
