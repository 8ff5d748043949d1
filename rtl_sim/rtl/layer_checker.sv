// Judges the descriptor of a layer by its own numbers: sizes, the windows of its tiles, where its maps
// lie. What it takes from tables pass by pass is judged by pass_checker. The verdict stands 4 cycles
// after the descriptor does.
`default_nettype none

module layer_checker
  import xlic_isa_pkg::*;
#(
  parameter int POY         = 4,
  parameter int POX         = 16,
  parameter int INPUT_WORDS = 1024,
  parameter int CHANNELS    = 256
) (
  input  wire logic          clk_i,
  input  wire logic [1023:0] layer_i,
  input  wire logic [31:0]   window_i,       // beats
  input  wire logic [31:0]   program_i,      // first beat of the program
  input  wire logic [33:0]   program_end_i,  // beat behind its last
  input  wire logic [31:0]   passes_i,       // of the program
  input  wire logic [31:0]   params_i,
  output logic               bad_o,          // ERR_LAYER
  output logic               outside_o,      // ERR_WINDOW
  output logic               tables_o        // ERR_PASS
);
  // Groups of 8 channels that a half of the output buffer holds: whole beats of bytes too.
  localparam int GROUPS = (CHANNELS + 15) / 16 * 2;

  logic [15:0] row_step, col_step, rows, cols, in_blocks, phase_words, slot_words, tiles_y, tiles_x;
  logic [15:0] pass_first, pass_count, in_params, out_channels, out_px_pitch, out_run;
  logic [19:0] in_height, in_width, out_height, out_width;
  logic [31:0] in_offset, in_row_pitch, out_offset, out_row_pitch;
  logic [7:0] stride, row_mul, col_mul, subrows;
  logic [1:0] in_format;
  logic out_u8, out_merge;
  assign in_offset     = layer_i[LAYER_IN_OFFSET_LSB +: LAYER_IN_OFFSET_BITS];
  assign in_row_pitch  = layer_i[LAYER_IN_ROW_PITCH_LSB +: LAYER_IN_ROW_PITCH_BITS];
  assign in_height     = layer_i[LAYER_IN_HEIGHT_LSB +: LAYER_IN_HEIGHT_BITS];
  assign in_width      = layer_i[LAYER_IN_WIDTH_LSB +: LAYER_IN_WIDTH_BITS];
  assign out_offset    = layer_i[LAYER_OUT_OFFSET_LSB +: LAYER_OUT_OFFSET_BITS];
  assign out_row_pitch = layer_i[LAYER_OUT_ROW_PITCH_LSB +: LAYER_OUT_ROW_PITCH_BITS];
  assign out_height    = layer_i[LAYER_OUT_HEIGHT_LSB +: LAYER_OUT_HEIGHT_BITS];
  assign out_width     = layer_i[LAYER_OUT_WIDTH_LSB +: LAYER_OUT_WIDTH_BITS];
  assign row_step     = layer_i[LAYER_ROW_STEP_LSB +: LAYER_ROW_STEP_BITS];
  assign col_step     = layer_i[LAYER_COL_STEP_LSB +: LAYER_COL_STEP_BITS];
  assign rows         = layer_i[LAYER_ROWS_LSB +: LAYER_ROWS_BITS];
  assign cols         = layer_i[LAYER_COLS_LSB +: LAYER_COLS_BITS];
  assign in_blocks    = layer_i[LAYER_IN_BLOCKS_LSB +: LAYER_IN_BLOCKS_BITS];
  assign phase_words  = layer_i[LAYER_PHASE_WORDS_LSB +: LAYER_PHASE_WORDS_BITS];
  assign slot_words   = layer_i[LAYER_SLOT_WORDS_LSB +: LAYER_SLOT_WORDS_BITS];
  assign tiles_y      = layer_i[LAYER_TILES_Y_LSB +: LAYER_TILES_Y_BITS];
  assign tiles_x      = layer_i[LAYER_TILES_X_LSB +: LAYER_TILES_X_BITS];
  assign pass_first   = layer_i[LAYER_PASS_FIRST_LSB +: LAYER_PASS_FIRST_BITS];
  assign pass_count   = layer_i[LAYER_PASS_COUNT_LSB +: LAYER_PASS_COUNT_BITS];
  assign in_params    = layer_i[LAYER_IN_PARAMS_LSB +: LAYER_IN_PARAMS_BITS];
  assign out_channels = layer_i[LAYER_OUT_CHANNELS_LSB +: LAYER_OUT_CHANNELS_BITS];
  assign out_px_pitch = layer_i[LAYER_OUT_PX_PITCH_LSB +: LAYER_OUT_PX_PITCH_BITS];
  assign out_run      = layer_i[LAYER_OUT_RUN_LSB +: LAYER_OUT_RUN_BITS];
  assign stride       = layer_i[LAYER_STRIDE_LSB +: LAYER_STRIDE_BITS];
  assign row_mul      = layer_i[LAYER_ROW_MUL_LSB +: LAYER_ROW_MUL_BITS];
  assign col_mul      = layer_i[LAYER_COL_MUL_LSB +: LAYER_COL_MUL_BITS];
  assign subrows      = layer_i[LAYER_SUBROWS_LSB +: LAYER_SUBROWS_BITS];
  assign in_format    = layer_i[LAYER_IN_FORMAT_LSB +: LAYER_IN_FORMAT_BITS];
  assign out_u8       = layer_i[LAYER_OUT_U8_LSB];
  assign out_merge    = layer_i[LAYER_OUT_MERGE_LSB];

  // ---- sizes
  logic zero;
  assign zero = in_height == 0 || in_width == 0 || rows == 0 || cols == 0 || stride == 0
             || in_blocks == 0 || phase_words == 0 || slot_words == 0 || pass_count == 0
             || row_step == 0 || col_step == 0 || tiles_y == 0 || tiles_x == 0
             || out_height == 0 || out_width == 0 || out_channels == 0 || out_run == 0
             || subrows == 0 || row_mul == 0 || col_mul == 0;

  // ---- the window of a tile, the output of one
  logic [18:0] block_words;  // channels of a pixel, padding included
  logic [19:0] span_y, span_x;
  logic [15:0] pairs;
  logic [31:0] pair_words;
  logic [24:0] groups;
  logic [23:0] x_step;
  logic second_slot;
  always_comb begin
    case (in_format)
      IN_I16:  block_words = 19'(in_blocks) << 3;
      IN_S32:  block_words = 19'(in_blocks) << 2;
      default: block_words = 19'd8;
    endcase
  end
  always_ff @(posedge clk_i) begin
    pairs       <= 16'(stride) * 16'(stride);
    pair_words  <= 32'(pairs) * 32'(phase_words);
    span_y      <= 20'(stride) * 20'(POY);
    span_x      <= 20'(stride) * 20'(POX + 2);
    second_slot <= 20'(rows) > span_y;
    groups      <= (25'(subrows) * 25'(out_run)) << out_u8;
    x_step      <= 24'(out_px_pitch) * 24'(col_mul);
  end

  // ---- how far the last tile lies from the first: coordinates have 22 bits
  logic [31:0] in_reach_y, in_reach_x, grid_y, grid_x, out_reach_y, out_reach_x;
  logic far;
  always_ff @(posedge clk_i) begin
    in_reach_y  <= 32'(16'(tiles_y - 1'b1)) * 32'(row_step);
    in_reach_x  <= 32'(16'(tiles_x - 1'b1)) * 32'(col_step);
    grid_y      <= 32'(16'(tiles_y - 1'b1)) * 32'(POY);
    grid_x      <= 32'(16'(tiles_x - 1'b1)) * 32'(POX);
    out_reach_y <= grid_y * 32'(row_mul);
    out_reach_x <= grid_x * 32'(col_mul);
    far         <= in_reach_y > 32'(FURTHEST) || in_reach_x > 32'(FURTHEST)
                || out_reach_y > 32'(FURTHEST) || out_reach_x > 32'(FURTHEST);
  end

  always_ff @(posedge clk_i) begin
    bad_o <= zero || far || in_format == 2'd3 || phase_words[2:0] != 0 || slot_words[2:0] != 0
      || 20'(rows) > 2 * span_y || 20'(cols) > span_x
      || block_words > 19'(phase_words) || (in_format == IN_U8 && in_blocks != 16'd1)
      || 32'(slot_words) < pair_words
      || (second_slot ? 17'(slot_words) << 1 : 17'(slot_words)) > 17'(INPUT_WORDS)
      || out_channels > 16'(CHANNELS) || groups > 25'(GROUPS)
      || (out_merge && x_step != 24'(out_run));
    tables_o <= 32'(pass_first) + 32'(pass_count) > passes_i
      || (in_format == IN_S32 && 32'(in_params) + 32'(block_words) > params_i);
  end

  // ---- where the maps end. The burst splitters check each burst all the same.
  logic [51:0] in_rows, out_rows;
  logic [35:0] in_row, out_row;
  logic [53:0] in_end, out_end;
  always_ff @(posedge clk_i) begin
    in_rows   <= 52'(in_height - 1'b1) * 52'(in_row_pitch);
    in_row    <= in_format == IN_U8 ? (36'(in_width) + 36'd3) >> 2
                                    : 36'(in_width) * 36'(in_blocks);
    out_rows  <= 52'(out_height - 1'b1) * 52'(out_row_pitch);
    out_row   <= 36'(out_width - 1'b1) * 36'(out_px_pitch);
    in_end    <= 54'(in_rows) + 54'(in_offset) + 54'(in_row);
    out_end   <= 54'(out_rows) + 54'(out_offset) + 54'(out_row) + 54'(out_run);
    // What is read while the layer runs must not change under it.
    outside_o <= in_end > 54'(window_i) || out_end > 54'(window_i)
      || (54'(out_offset) < in_end && 54'(in_offset) < out_end)
      || (34'(out_offset) < program_end_i && 54'(program_i) < out_end);
  end
endmodule

`default_nettype wire
