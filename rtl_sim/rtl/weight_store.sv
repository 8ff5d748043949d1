// All weights of a program: filled by a stream of beats, read one word of POF weights per cycle.
// Banks of BANK_DEPTH words with a registered output, then a registered bank multiplexer: a read
// takes LATENCY = 4 cycles (address, memory, bank, lanes). loaded_o counts the words that can be read.
`default_nettype none

module weight_store #(
  parameter int POF          = 16,
  parameter int WEIGHT_WORDS = 57344,
  parameter int BANK_DEPTH   = 4096
) (
  input  wire logic              clk_i,
  input  wire logic              rst_i,
  input  wire logic              we_i,
  input  wire logic [127:0]      beat_i,
  output logic [23:0]            loaded_o,
  input  wire logic              re_i,
  input  wire logic [23:0]       addr_i,
  output logic [POF*16-1:0]      word_o
);
  localparam int WORD  = POF * 16;
  localparam int ROW   = WORD > 128 ? WORD : 128;  // bits of a memory row
  localparam int PER   = ROW / WORD;               // words per row
  localparam int BEATS = ROW / 128;                // beats per row
  localparam int SUB   = $clog2(PER);
  localparam int ROWS  = (WEIGHT_WORDS + PER - 1) / PER;
  localparam int DEPTH = ROWS < BANK_DEPTH ? ROWS : BANK_DEPTH;
  localparam int BANKS = (ROWS + DEPTH - 1) / DEPTH;
  localparam int AW    = $clog2(DEPTH);
  localparam int BW    = BANKS > 1 ? $clog2(BANKS) : 1;

  // Writing: beats are gathered to rows.
  logic [ROW-1:0] row;
  logic row_we;
  logic [23:0] row_addr, rows_loaded;
  logic beat_high;
  always_ff @(posedge clk_i) begin
    row_we <= 1'b0;
    if (we_i) begin
      row[ROW-1 -: 128] <= beat_i;
      if (BEATS == 2) row[127:0] <= row[ROW-1 -: 128];
      beat_high <= !beat_high;
      row_we    <= BEATS == 1 || beat_high;
    end
    if (row_we) row_addr <= row_addr + 1'b1;
    rows_loaded <= row_addr;  // a cycle late: the row has been written
    loaded_o    <= rows_loaded << SUB;
    if (rst_i) begin
      row_we      <= 1'b0;
      beat_high   <= 1'b0;
      row_addr    <= '0;
      rows_loaded <= '0;
      loaded_o    <= '0;
    end
  end

  // Reading.
  logic re_q, re_qq;
  logic [23:0] row_index, addr_q;
  logic [BW-1:0] bank_q;
  logic [7:0] sub_q, sub_qq;
  logic [ROW-1:0] bank_out [BANKS];
  logic [ROW-1:0] selected;
  assign row_index = addr_q >> SUB;
  always_ff @(posedge clk_i) begin
    re_q    <= re_i;
    addr_q  <= addr_i;
    re_qq   <= re_q;
    bank_q  <= BW'(row_index >> AW);
    sub_q   <= 8'(addr_q & 24'(PER - 1));
    sub_qq  <= sub_q;
    if (re_qq) selected <= bank_out[bank_q];
  end
  for (genvar b = 0; b < BANKS; b++) begin : g_bank
    ram_sdp #(.WIDTH(ROW), .DEPTH(DEPTH)) u_ram (
      .clk_i,
      .we_i(row_we && (row_addr >> AW) == 24'(b)), .waddr_i(row_addr[AW-1:0]), .wdata_i(row),
      .re_i(re_q && (row_index >> AW) == 24'(b)), .raddr_i(row_index[AW-1:0]),
      .rdata_o(bank_out[b])
    );
  end
  always_ff @(posedge clk_i) begin
    if (PER == 1) word_o <= selected[WORD-1:0];
    else word_o <= selected[int'(sub_qq) * WORD +: WORD];
  end
endmodule

`default_nettype wire
