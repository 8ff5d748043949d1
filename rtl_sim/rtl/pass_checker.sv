// Judges what a layer takes from the tables, while its first tiles run already: the parameters of its
// symbols, then pass after pass its record, its lanes and its taps, and that the passes follow each
// other as docs/accelerator.md says. Nothing is stored before it is through. It reads copies of the
// tables: one lane and one tap a cycle, and 5 cycles a pass.
`default_nettype none

module pass_checker
  import xlic_isa_pkg::*;
#(
  parameter int POF         = 16,
  parameter int POY         = 4,
  parameter int POX         = 16,
  parameter int PARAM_WORDS = 1024,
  parameter int PASS_WORDS  = 512,
  parameter int TAP_WORDS   = 512,
  parameter int CHANNELS    = 256
) (
  input  wire logic          clk_i,
  input  wire logic          rst_i,
  // Tables, as they are loaded.
  input  wire logic          pass_we_i,
  input  wire logic          tap_we_i,
  input  wire logic          param_we_i,
  input  wire logic [15:0]   table_addr_i,
  input  wire logic [127:0]  table_data_i,
  input  wire logic [31:0]   taps_i,          // of the program
  input  wire logic [31:0]   params_i,
  input  wire logic [31:0]   weight_words_i,
  input  wire logic          start_i,
  input  wire logic [1023:0] layer_i,         // layer_checker has passed it
  output logic               busy_o,          // nothing may be stored
  output logic               error_o          // it and busy_o stay until they are reset
);
  localparam int PASS_AW  = $clog2(PASS_WORDS);
  localparam int TAP_AW   = $clog2((TAP_WORDS + 3) / 4);
  localparam int PARAM_AW = $clog2((PARAM_WORDS + 1) / 2);

  logic [15:0] rows, cols, in_blocks, slot_words, pass_first, pass_count, in_params;
  logic [7:0] stride;
  logic symbols;
  assign rows       = layer_i[LAYER_ROWS_LSB +: LAYER_ROWS_BITS];
  assign cols       = layer_i[LAYER_COLS_LSB +: LAYER_COLS_BITS];
  assign in_blocks  = layer_i[LAYER_IN_BLOCKS_LSB +: LAYER_IN_BLOCKS_BITS];
  assign slot_words = layer_i[LAYER_SLOT_WORDS_LSB +: LAYER_SLOT_WORDS_BITS];
  assign pass_first = layer_i[LAYER_PASS_FIRST_LSB +: LAYER_PASS_FIRST_BITS];
  assign pass_count = layer_i[LAYER_PASS_COUNT_LSB +: LAYER_PASS_COUNT_BITS];
  assign in_params  = layer_i[LAYER_IN_PARAMS_LSB +: LAYER_IN_PARAMS_BITS];
  assign stride     = layer_i[LAYER_STRIDE_LSB +: LAYER_STRIDE_BITS];
  assign symbols    = layer_i[LAYER_IN_FORMAT_LSB +: LAYER_IN_FORMAT_BITS] == IN_S32;

  // ---- walking
  typedef enum logic [2:0] {
    IDLE, SYMBOLS, FETCH, LATCH, ENTRIES, SETTLE, CLOSE, REFUSED
  } state_e;
  state_e state;
  logic [15:0] index;     // of the pass in the layer
  logic [15:0] k;         // of the entry: symbol's parameter, or lane and tap
  logic [127:0] record;
  logic lane_valid, tap_valid, symbol_valid, last_entry, last_pass, bad;

  logic [23:0] weight_base;
  logic [15:0] tap_first, tap_count, count, channel_base, param_base;
  logic [2:0] to;
  logic gamma, phase_begin, tile_end, emit_begin, emit_end;
  assign weight_base  = record[PASS_WEIGHT_BASE_LSB +: PASS_WEIGHT_BASE_BITS];
  assign tap_first    = record[PASS_TAP_FIRST_LSB +: PASS_TAP_FIRST_BITS];
  assign tap_count    = record[PASS_TAP_COUNT_LSB +: PASS_TAP_COUNT_BITS];
  assign count        = record[PASS_COUNT_LSB +: PASS_COUNT_BITS];
  assign channel_base = record[PASS_CHANNEL_BASE_LSB +: PASS_CHANNEL_BASE_BITS];
  assign param_base   = record[PASS_PARAM_BASE_LSB +: PASS_PARAM_BASE_BITS];
  assign to           = record[PASS_DESTINATION_LSB +: PASS_DESTINATION_BITS];
  assign gamma        = record[PASS_GAMMA_LSB];
  assign phase_begin  = record[PASS_PHASE_BEGIN_LSB];
  assign tile_end     = record[PASS_TILE_END_LSB];
  assign emit_begin   = record[PASS_EMIT_BEGIN_LSB];
  assign emit_end     = record[PASS_EMIT_END_LSB];

  // ---- copies of the tables, an entry a cycle after its address
  logic [15:0] pass_addr, tap_addr, param_addr;
  logic [127:0] pass_q, tap_q, param_q;
  logic [1:0] tap_part;
  logic param_odd;
  logic [31:0] tap;
  logic [63:0] param;
  assign pass_addr  = pass_first + index;
  assign tap_addr   = tap_first + k;
  assign param_addr = (state == SYMBOLS ? in_params : param_base) + k;
  ram_sdp #(.WIDTH(128), .DEPTH(PASS_WORDS)) u_passes (
    .clk_i, .we_i(pass_we_i), .waddr_i(table_addr_i[PASS_AW-1:0]), .wdata_i(table_data_i),
    .re_i(state == FETCH), .raddr_i(pass_addr[PASS_AW-1:0]), .rdata_o(pass_q)
  );
  ram_sdp #(.WIDTH(128), .DEPTH((TAP_WORDS + 3) / 4)) u_taps (
    .clk_i, .we_i(tap_we_i), .waddr_i(table_addr_i[TAP_AW-1:0]), .wdata_i(table_data_i),
    .re_i(1'b1), .raddr_i(tap_addr[2 +: TAP_AW]), .rdata_o(tap_q)
  );
  ram_sdp #(.WIDTH(128), .DEPTH((PARAM_WORDS + 1) / 2)) u_params (
    .clk_i, .we_i(param_we_i), .waddr_i(table_addr_i[PARAM_AW-1:0]), .wdata_i(table_data_i),
    .re_i(1'b1), .raddr_i(param_addr[1 +: PARAM_AW]), .rdata_o(param_q)
  );
  assign tap   = tap_q[32'(tap_part) * 32 +: 32];
  assign param = param_odd ? param_q[127:64] : param_q[63:0];

  // ---- what is asked of the layer once
  logic [15:0] words;         // parameters of symbols
  logic [3:0] dy_fits, dx_fits;  // whether the window has the steps of such an offset
  always_ff @(posedge clk_i) begin
    words <= in_blocks << 2;
    for (int d = 0; d < 4; d++) begin
      dy_fits[d] <= d < WINDOW_OFFSETS && 16'(stride) * 16'(POY - 1 + d) < rows;
      dx_fits[d] <= d < WINDOW_OFFSETS && 16'(stride) * 16'(POX - 1 + d) < cols;
    end
  end

  // ---- an entry
  logic signed [47:0] bias;
  logic [5:0] shift;
  logic [9:0] aux;
  logic [16:0] channel;
  logic [15:0] offset;
  logic [1:0] dy, dx;
  logic skip, gap, lane_bad, tap_bad, symbol_bad;
  logic [15:0] lane_channel;
  logic [15:0] held, filled;  // channels held in this phase; those of this pass
  assign bias    = param[PARAM_BIAS_LSB +: PARAM_BIAS_BITS];
  assign shift   = param[PARAM_SHIFT_LSB +: PARAM_SHIFT_BITS];
  assign aux     = param[PARAM_AUX_LSB +: PARAM_AUX_BITS];
  assign skip    = aux[$clog2(SKIP_LANE)];
  assign offset  = tap[TAP_OFFSET_LSB +: TAP_OFFSET_BITS];
  assign dy      = tap[TAP_DY_LSB +: TAP_DY_BITS];
  assign dx      = tap[TAP_DX_LSB +: TAP_DX_BITS];
  assign channel = to == DEST_OUT_U8 ? 17'(aux) : 17'(channel_base) + 17'(lane_channel);
  always_comb begin
    lane_bad = channel >= 17'(CHANNELS) || shift == 0 || shift > 6'(MAX_SHIFT);
    // Channels are held without gaps, in their order, and only such are normalized.
    if (to == DEST_HOLD && gap) lane_bad = 1'b1;
    if (gamma && channel >= 17'(held)) lane_bad = 1'b1;
    if (to == DEST_OUT_GDN && aux > 10'(MAX_GDN_SHIFT)) lane_bad = 1'b1;
    if (to == DEST_OUT_IGDN && (aux == 0 || aux > 10'(MAX_SHIFT))) lane_bad = 1'b1;
    if (skip) lane_bad = 1'b0;
  end
  assign tap_bad    = !dy_fits[dy] || !dx_fits[dx] || 17'(offset) + 17'(count) > 17'(slot_words);
  assign symbol_bad = shift > 6'(MAX_SYMBOL_SHIFT) || bias > 48'sd32767 || bias < -48'sd32768;

  // ---- the record, and its place among the others
  logic used;             // the held channels have been
  logic given;            // the tile has been read
  logic open;             // between the first and the last pass of an emission
  logic [2:0] out_to;     // where the layer's results go
  logic out_known;
  logic [31:0] steps;
  logic [15:0] phase_held;
  logic record_bad, order_bad, end_bad, outputs, now_open, now_given, now_used;
  always_ff @(posedge clk_i) steps <= gamma ? 32'(count) : 32'(tap_count) * 32'(count);
  assign outputs    = to != DEST_HOLD;
  assign record_bad = to > DEST_OUT_IGDN || gamma != (to >= DEST_OUT_GDN) || count == 0
    || (!gamma && (tap_count == 0 || 32'(tap_first) + 32'(tap_count) > taps_i))
    || 32'(param_base) + 32'(POF) > params_i
    || 33'(weight_base) + 33'(steps) > 33'(weight_words_i);
  assign phase_held = phase_begin ? '0 : held;
  assign now_used   = gamma || (used && outputs);
  assign now_given  = given || tile_end;
  assign now_open   = (open || emit_begin) && !emit_end;
  assign order_bad  = (index == 0 && !phase_begin)
    || (phase_begin && held != 0 && !used)
    || (to == DEST_HOLD && channel_base != phase_held)
    || (gamma && count != phase_held)
    || (gamma ? tile_end : given)
    || (emit_begin && open) || (emit_end && !outputs)
    || (outputs && ((!open && !emit_begin) || (out_known && to != out_to)));
  assign end_bad    = last_pass && (!now_given || now_open
                                    || (phase_held + filled != 0 && !now_used));

  assign last_entry = state == SYMBOLS ? k + 1'b1 == words
                                       : k + 1'b1 >= 16'(POF) && (gamma || k + 1'b1 >= tap_count);
  assign last_pass  = index + 1'b1 == pass_count;
  assign busy_o     = state != IDLE;
  assign error_o    = state == REFUSED;

  always_ff @(posedge clk_i) begin
    symbol_valid <= state == SYMBOLS;
    lane_valid   <= state == ENTRIES && k < 16'(POF);
    tap_valid    <= state == ENTRIES && !gamma && k < tap_count;
    lane_channel <= k;
    tap_part     <= tap_addr[1:0];
    param_odd    <= param_addr[0];
    if ((symbol_valid && symbol_bad) || (lane_valid && lane_bad) || (tap_valid && tap_bad)) begin
      bad <= 1'b1;
    end
    if (lane_valid) begin
      if (skip) gap <= 1'b1;
      else if (to == DEST_HOLD) filled <= filled + 1'b1;
    end
    case (state)
      SYMBOLS: begin
        k <= k + 1'b1;
        if (last_entry) state <= FETCH;
      end
      FETCH: begin
        state <= LATCH;
        k     <= '0;
      end
      LATCH: begin
        state  <= ENTRIES;
        record <= pass_q;
        gap    <= 1'b0;
        filled <= '0;
      end
      ENTRIES: begin
        k <= k + 1'b1;
        if (last_entry) state <= SETTLE;
      end
      SETTLE: state <= CLOSE;
      CLOSE: begin
        state <= last_pass ? IDLE : FETCH;
        index <= index + 1'b1;
        held  <= phase_held + filled;
        used  <= now_used;
        given <= now_given;
        open  <= now_open;
        if (outputs) begin
          out_known <= 1'b1;
          out_to    <= to;
        end
        if (bad || record_bad || order_bad || end_bad) state <= REFUSED;
      end
      default: ;  // IDLE, REFUSED
    endcase
    if (start_i) begin
      state <= symbols ? SYMBOLS : FETCH;
      {index, k, held} <= '0;
      {bad, used, given, open, out_known} <= '0;
    end
    if (rst_i) state <= IDLE;
  end
endmodule

`default_nettype wire
