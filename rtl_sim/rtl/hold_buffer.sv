// Outputs of a convolution that wait for their normalization: written a row of one channel at a
// time, read as magnitudes of one channel at all positions (for the array) and as signed rows (for
// the normalizer). Magnitude reads take 5 cycles, as long as the input buffer's; row reads 1.
`default_nettype none

module hold_buffer #(
  parameter int POY      = 4,
  parameter int POX      = 16,
  parameter int CHANNELS = 256
) (
  input  wire logic                        clk_i,
  input  wire logic                        we_i,
  input  wire logic [$clog2(CHANNELS)-1:0] wchannel_i,
  input  wire logic [$clog2(POY)-1:0]      wrow_i,
  input  wire logic [POX*16-1:0]           wdata_i,

  input  wire logic                        magnitude_re_i,
  input  wire logic [$clog2(CHANNELS)-1:0] magnitude_channel_i,
  output logic [POY*POX*16-1:0]            magnitude_o,

  input  wire logic                        row_re_i,
  input  wire logic [$clog2(CHANNELS)-1:0] row_channel_i,
  input  wire logic [$clog2(POY)-1:0]      row_i,
  output logic [POX*16-1:0]                row_o
);
  localparam int CW = $clog2(CHANNELS);

  logic [POX*16-1:0] magnitude;
  always_comb begin
    for (int x = 0; x < POX; x++) begin
      magnitude[x*16 +: 16] = wdata_i[x*16+15] ? -wdata_i[x*16 +: 16] : wdata_i[x*16 +: 16];
    end
  end

  logic [3:0] re;
  logic [CW-1:0] channel [3];
  logic [POY*POX*16-1:0] memory_out;
  always_ff @(posedge clk_i) begin
    re         <= {re[2:0], magnitude_re_i};
    channel[0] <= magnitude_channel_i;
    channel[1] <= channel[0];
    channel[2] <= channel[1];
    if (re[3]) magnitude_o <= memory_out;
  end
  for (genvar y = 0; y < POY; y++) begin : g_row
    ram_sdp #(.WIDTH(POX * 16), .DEPTH(CHANNELS)) u_magnitude (
      .clk_i,
      .we_i(we_i && wrow_i == ($clog2(POY))'(y)), .waddr_i(wchannel_i), .wdata_i(magnitude),
      .re_i(re[2]), .raddr_i(channel[2]), .rdata_o(memory_out[y*POX*16 +: POX*16])
    );
  end
  ram_sdp #(.WIDTH(POX * 16), .DEPTH(POY << CW)) u_signed (
    .clk_i,
    .we_i, .waddr_i({wchannel_i, wrow_i}), .wdata_i,
    .re_i(row_re_i), .raddr_i({row_channel_i, row_i}), .rdata_o(row_o)
  );
endmodule

`default_nettype wire
