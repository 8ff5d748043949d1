// POX dividers and multipliers behind the drain: GDN or IGDN of one row of one channel per cycle.
// Latency 19 cycles (GDN) or 5 (IGDN); the two kinds must not meet at the output, which a layer,
// having only one of them, ensures.
`default_nettype none

module normalizer #(
  parameter int POX   = 16,
  parameter int TAG_W = 12
) (
  input  wire logic              clk_i,
  input  wire logic              rst_i,
  input  wire logic              valid_i,
  input  wire logic              inverse_i,
  input  wire logic [POX*24-1:0] n_i,
  input  wire logic [POX*16-1:0] x_i,
  input  wire logic [5:0]        amount_i,  // k of GDN, shift of IGDN
  input  wire logic [POX-1:0]    counted_i, // positions whose clips count
  input  wire logic [TAG_W-1:0]  tag_i,
  output logic                   valid_o,
  output logic [POX*16-1:0]      y_o,
  output logic [POX-1:0]         clipped_o,
  output logic [TAG_W-1:0]       tag_o
);
  localparam int GDN  = 19;
  localparam int IGDN = 5;

  logic [GDN-1:0] gdn_valid;
  logic [IGDN-1:0] igdn_valid;
  logic [TAG_W+POX-1:0] tag [GDN];
  logic [POX*16-1:0] gdn_y, igdn_y;
  logic [POX-1:0] gdn_clipped, igdn_clipped, counted;
  logic inverse;

  always_ff @(posedge clk_i) begin
    gdn_valid  <= {gdn_valid[GDN-2:0], valid_i && !inverse_i};
    igdn_valid <= {igdn_valid[IGDN-2:0], valid_i && inverse_i};
    tag[0]     <= {tag_i, counted_i};
    for (int i = 1; i < GDN; i++) tag[i] <= tag[i-1];
    if (rst_i) begin
      gdn_valid  <= '0;
      igdn_valid <= '0;
    end
  end

  for (genvar x = 0; x < POX; x++) begin : g_position
    divider u_divider (
      .clk_i, .valid_i(valid_i && !inverse_i),
      .x_i(x_i[x*16 +: 16]), .n_i(n_i[x*24 +: 24]), .k_i(amount_i),
      .y_o(gdn_y[x*16 +: 16]), .clipped_o(gdn_clipped[x])
    );
    multiplier u_multiplier (
      .clk_i, .valid_i(valid_i && inverse_i),
      .x_i(x_i[x*16 +: 16]), .n_i(n_i[x*24 +: 24]), .s_i(amount_i),
      .y_o(igdn_y[x*16 +: 16]), .clipped_o(igdn_clipped[x])
    );
  end

  assign inverse   = igdn_valid[IGDN-1];
  assign valid_o   = inverse || gdn_valid[GDN-1];
  assign y_o       = inverse ? igdn_y : gdn_y;
  assign {tag_o, counted} = inverse ? tag[IGDN-1] : tag[GDN-1];
  assign clipped_o = (inverse ? igdn_clipped : gdn_clipped) & counted;
endmodule

`default_nettype wire
