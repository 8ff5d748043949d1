// Exact quotient of the GDN for one position: sat16(sign(x) * ((|x| * 2^k + (n >> 1)) div n)).
// Restoring division, one quotient bit per stage. 16 bits are enough: a quotient of 2^16 or more
// saturates and is told beforehand. Latency LATENCY = 19 cycles, one division per cycle.
`default_nettype none

module divider (
  input  wire logic               clk_i,
  input  wire logic               valid_i,
  input  wire logic signed [15:0] x_i,
  input  wire logic [23:0]        n_i,  // 1 .. 2^24 - 1
  input  wire logic [5:0]         k_i,  // 0 .. 36
  output logic signed [15:0]      y_o,
  output logic                    clipped_o
);
  localparam int BITS = 16;

  // Stage 0: dividend. Stage 1: rounding half. Stages 2..17: quotient bits. Stage 18: sign, clip.
  logic [15:0] magnitude;
  logic [51:0] shifted, dividend;
  logic [23:0] n0, n1;
  logic sign0, sign1;
  logic [BITS+1:0] valid;
  assign magnitude = x_i[15] ? -x_i : x_i;  // 2^15 at most, unsigned

  always_ff @(posedge clk_i) begin
    valid <= {valid[BITS:0], valid_i};
    if (valid_i) begin
      shifted <= {36'b0, magnitude} << k_i;
      n0      <= n_i;
      sign0   <= x_i[15];
    end
    if (valid[0]) begin
      dividend <= shifted + {29'b0, n0[23:1]};
      n1       <= n0;
      sign1    <= sign0;
    end
  end

  wire [23:0] rest [BITS+1], n [BITS+1];
  wire [15:0] low [BITS+1];  // dividend bits to come, from the left; quotient bits from the right
  wire [BITS:0] sign, beyond;
  assign rest[0]  = dividend[39:16];
  assign n[0]     = n1;
  assign low[0]   = dividend[15:0];
  assign sign[0]  = sign1;
  assign beyond[0] = dividend[51:16] >= {12'b0, n1};
  for (genvar i = 0; i < BITS; i++) begin : g_stage
    logic [23:0] rest_q, n_q;
    logic [15:0] low_q;
    logic sign_q, beyond_q;
    logic [24:0] trial;
    logic [23:0] difference;
    logic fits;
    assign trial      = {rest[i], low[i][15]};
    assign difference = trial[23:0] - n[i];  // below n where it is used
    assign fits       = trial >= {1'b0, n[i]};
    always_ff @(posedge clk_i) begin
      if (valid[i+1]) begin
        rest_q   <= fits ? difference : trial[23:0];
        low_q    <= {low[i][14:0], fits};
        n_q      <= n[i];
        sign_q   <= sign[i];
        beyond_q <= beyond[i];
      end
    end
    assign rest[i+1]   = rest_q;
    assign low[i+1]    = low_q;
    assign n[i+1]      = n_q;
    assign sign[i+1]   = sign_q;
    assign beyond[i+1] = beyond_q;
  end

  logic over;
  assign over = beyond[BITS] || low[BITS] > (sign[BITS] ? 16'h8000 : 16'h7FFF);
  always_ff @(posedge clk_i) begin
    if (valid[BITS+1]) begin
      clipped_o <= over;
      if (over) y_o <= sign[BITS] ? 16'sh8000 : 16'sh7FFF;
      else      y_o <= sign[BITS] ? -low[BITS] : low[BITS];
    end
  end
endmodule

`default_nettype wire
