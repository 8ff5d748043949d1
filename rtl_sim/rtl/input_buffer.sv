// The window of a tile, twice: one half is filled while the other is read.
// POY row banks of POX+2 lane banks, 16 bit wide (docs/accelerator.md says which value lies where).
// A write takes up to 8 channels of one pixel, a read gives one channel at POY x POX positions.
// Read latency 5 cycles (bank address, memory, memory output, rows, lanes), one read per cycle.
`default_nettype none

// Icarus Verilog has no assignment of whole arrays; Verilator simulates a loop 10 times slower.
`ifdef __ICARUS__
`define XLIC_COPY(to, from, count) for (int i_ = 0; i_ < (count); i_++) to[i_] <= from[i_]
`else
`define XLIC_COPY(to, from, count) to <= from
`endif

module input_buffer #(
  parameter int POY         = 4,
  parameter int POX         = 16,
  parameter int INPUT_WORDS = 1024
) (
  input  wire logic                           clk_i,
  input  wire logic                           we_i,
  input  wire logic                           whalf_i,
  input  wire logic [$clog2(POY)-1:0]         wbank_i,
  input  wire logic [$clog2(INPUT_WORDS)-1:0] waddr_i,  // of channel 0 of the block: multiple of 8
  input  wire logic [$clog2(POX+2)-1:0]       wstep_i,  // q, 0 .. POX+1
  input  wire logic [7:0]                     wmask_i,  // channels of the block to write
  input  wire logic [127:0]                   wdata_i,

  input  wire logic                           re_i,
  input  wire logic                           rhalf_i,
  input  wire logic [$clog2(INPUT_WORDS)-1:0] raddr_i,  // word in slot 0
  input  wire logic [$clog2(INPUT_WORDS):0]   slot_words_i,
  input  wire logic [1:0]                     dy_i,
  input  wire logic [1:0]                     dx_i,
  input  wire logic [2:0]                     skew_i,   // channel mod 8
  output logic [POY*POX*16-1:0]               data_o
);
  localparam int LANES = POX + 2;
  localparam int AW    = $clog2(INPUT_WORDS);
  localparam int SW    = $clog2(LANES + 8);

  // Write: channel k of the block goes to lane (q + k) mod LANES.
  logic [LANES-1:0] lane_we;
  logic [2:0] lane_k [LANES];
  logic [15:0] lane_data [LANES];
  logic [LANES-1:0] we_q;
  logic [2:0] k_q [LANES];
  logic [15:0] data_q [LANES];
  logic [POY-1:0] wbank_q;
  logic whalf_q;
  logic [AW-1:0] waddr_q;
  always_comb begin
    for (int l = 0; l < LANES; l++) begin
      logic [SW-1:0] k;
      k = l >= int'(wstep_i) ? SW'(l) - SW'(wstep_i) : SW'(l + LANES) - SW'(wstep_i);
      lane_k[l]    = k[2:0];
      lane_we[l]   = k < SW'(8) && wmask_i[k[2:0]];
      lane_data[l] = wdata_i[32'(k[2:0]) * 16 +: 16];
    end
  end
  always_ff @(posedge clk_i) begin
    we_q <= we_i ? lane_we : '0;
    if (we_i) begin
      `XLIC_COPY(k_q, lane_k, LANES);
      `XLIC_COPY(data_q, lane_data, LANES);
      waddr_q <= waddr_i;
      whalf_q <= whalf_i;
      for (int b = 0; b < POY; b++) wbank_q[b] <= wbank_i == ($clog2(POY))'(b);
    end
  end

  // Read: position oy takes bank (oy + dy) mod POY, in slot (oy + dy) div POY.
  logic [AW-1:0] bank_addr [POY];
  logic rhalf_q, re_q, re_qq, re_qqq;
  logic [1:0] dy_q [3];
  logic [SW-1:0] shift_q [4];
  logic [15:0] lane_out [POY*LANES];
  logic [15:0] lane_q [POY*LANES], row_q [POY*LANES], row_d [POY*LANES], out_d [POY*POX];
  always_ff @(posedge clk_i) begin
    for (int b = 0; b < POY; b++) begin
      bank_addr[b] <= raddr_i + (32'(dy_i) > 32'(b) ? slot_words_i[AW-1:0] : '0);
    end
    rhalf_q <= rhalf_i;
    re_q    <= re_i;
    re_qq   <= re_q;
    re_qqq  <= re_qq;
    dy_q[0] <= dy_i;
    dy_q[1] <= dy_q[0];
    dy_q[2] <= dy_q[1];
    shift_q[0] <= SW'(dx_i) + SW'(skew_i);
    shift_q[1] <= shift_q[0];
    shift_q[2] <= shift_q[1];
    shift_q[3] <= shift_q[2];
  end
  for (genvar b = 0; b < POY; b++) begin : g_bank
    for (genvar l = 0; l < LANES; l++) begin : g_lane
      ram_sdp #(.WIDTH(16), .DEPTH(2 << AW)) u_ram (
        .clk_i,
        .we_i(we_q[l] && wbank_q[b]), .waddr_i({whalf_q, waddr_q[AW-1:3], k_q[l]}),
        .wdata_i(data_q[l]),
        .re_i(re_q), .raddr_i({rhalf_q, bank_addr[b]}), .rdata_o(lane_out[b*LANES+l])
      );
    end
  end
  always_comb begin
    for (int y = 0; y < POY; y++) begin
      int bank;
      bank = (y + int'(dy_q[2])) % POY;
      for (int l = 0; l < LANES; l++) row_d[y*LANES+l] = lane_q[bank*LANES+l];
    end
  end
  always_comb begin
    for (int y = 0; y < POY; y++) begin
      for (int x = 0; x < POX; x++) begin
        int lane;
        lane = x + int'(shift_q[3]);
        if (lane >= LANES) lane = lane - LANES;
        out_d[y*POX+x] = row_q[y*LANES+lane];
      end
    end
  end
  logic re_4;
  always_ff @(posedge clk_i) begin
    re_4 <= re_qqq;
    if (re_qq) `XLIC_COPY(lane_q, lane_out, POY * LANES);
    if (re_qqq) `XLIC_COPY(row_q, row_d, POY * LANES);
    if (re_4) for (int i = 0; i < POY * POX; i++) data_o[i*16 +: 16] <= out_d[i];
  end
endmodule

`undef XLIC_COPY
`default_nettype wire
