// Results of a tile (or of a phase of it), twice: one half is filled while the other is stored.
// Written a row of POX positions of one channel at a time, read 8 channels of one position at a
// time: position i of channel c lies in bank (c + i) mod POX, so both take each bank once.
// Write latency 1 cycle; read latency 3 cycles, one read per cycle.
`default_nettype none

module output_buffer #(
  parameter int POY      = 4,
  parameter int POX      = 16,
  parameter int CHANNELS = 256
) (
  input  wire logic                        clk_i,
  input  wire logic                        we_i,
  input  wire logic                        whalf_i,
  input  wire logic [$clog2(CHANNELS)-1:0] wchannel_i,
  input  wire logic [$clog2(POY)-1:0]      wrow_i,
  input  wire logic [POX*16-1:0]           wdata_i,

  input  wire logic                        re_i,
  input  wire logic                        rhalf_i,
  input  wire logic [$clog2(CHANNELS)-4:0] rgroup_i,     // channels 8 * group ..
  input  wire logic [$clog2(POY)-1:0]      rrow_i,
  input  wire logic [$clog2(POX)-1:0]      rposition_i,
  output logic [127:0]                     rdata_o
);
  localparam int XW = $clog2(POX);
  localparam int RW = $clog2(POY);
  localparam int CW = $clog2(CHANNELS);

  logic we_q, whalf_q, rhalf_q;
  logic [CW-1:0] wchannel_q;
  logic [RW-1:0] wrow_q, rrow_q;
  logic [15:0] wdata_d [POX], wdata_q [POX], bank_out [POX];
  logic [2:0] k_d [POX], k_q [POX];
  logic [CW-4:0] rgroup_q;
  logic re_q, re_qq;
  logic [XW-1:0] first_d, first_q, first_qq;  // bank of the group's first channel

  always_comb begin
    for (int b = 0; b < POX; b++) begin
      logic [XW-1:0] position;
      position   = XW'(b) - wchannel_i[XW-1:0];
      wdata_d[b] = wdata_i[int'(position)*16 +: 16];
    end
  end
  assign first_d = XW'({rgroup_i, 3'b0}) + rposition_i;
  always_comb begin
    for (int b = 0; b < POX; b++) begin
      logic [XW-1:0] k;
      k = XW'(b) - first_d;
      k_d[b] = k[2:0];
    end
  end
  always_ff @(posedge clk_i) begin
    we_q       <= we_i;
    whalf_q    <= whalf_i;
    wchannel_q <= wchannel_i;
    wrow_q     <= wrow_i;
    if (we_i) for (int b = 0; b < POX; b++) wdata_q[b] <= wdata_d[b];
    re_q       <= re_i;
    re_qq      <= re_q;
    rhalf_q    <= rhalf_i;
    rrow_q     <= rrow_i;
    rgroup_q   <= rgroup_i;
    if (re_i) for (int b = 0; b < POX; b++) k_q[b] <= k_d[b];
    first_q    <= first_d;
    first_qq   <= first_q;
    if (re_qq) begin
      for (int k = 0; k < 8; k++) begin
        rdata_o[k*16 +: 16] <= bank_out[XW'(32'(first_qq) + k)];
      end
    end
  end
  for (genvar b = 0; b < POX; b++) begin : g_bank
    ram_sdp #(.WIDTH(16), .DEPTH((2 * POY) << CW)) u_ram (
      .clk_i,
      .we_i(we_q), .waddr_i({whalf_q, wrow_q, wchannel_q}), .wdata_i(wdata_q[b]),
      .re_i(re_q), .raddr_i({rhalf_q, rrow_q, rgroup_q, k_q[b]}), .rdata_o(bank_out[b])
    );
  end
endmodule

`default_nettype wire
