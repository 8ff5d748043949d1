// Loads the window of one tile after the other into the free half of the input buffer: asks the
// reader for the rows that lie in the map, and writes every pixel of the window, zeros outside.
// One beat (8 channels) per cycle from 16-bit maps, one pixel per cycle from pictures, one channel
// per cycle from symbols.
`default_nettype none

module window_loader
  import xlic_isa_pkg::*;
#(
  parameter int POY         = 4,
  parameter int POX         = 16,
  parameter int INPUT_WORDS = 1024
) (
  input  wire logic                           clk_i,
  input  wire logic                           rst_i,
  input  wire logic                           start_i,
  input  wire logic [1023:0]                  layer_i,
  output logic                                done_o,
  // Halves of the input buffer.
  output logic [1:0]                          half_full_o,
  input  wire logic                           half_release_i,
  // Reader.
  output logic                                req_valid_o,
  input  wire logic                           req_ready_i,
  output logic [31:0]                         req_offset_o,
  output logic [31:0]                         req_beats_o,
  input  wire logic                           data_valid_i,
  output logic                                data_ready_o,
  input  wire logic [127:0]                   data_i,
  // Parameters of symbols, a cycle after the address.
  output logic [15:0]                         param_addr_o,
  input  wire logic [63:0]                    param_i,
  // Input buffer.
  output logic                                we_o,
  output logic                                whalf_o,
  output logic [$clog2(POY)-1:0]              wbank_o,
  output logic [$clog2(INPUT_WORDS)-1:0]      waddr_o,
  output logic [$clog2(POX+2)-1:0]            wstep_o,
  output logic [7:0]                          wmask_o,
  output logic [127:0]                        wdata_o,
  output logic                                saturation_o  // a symbol was clipped
);
  localparam int AW = $clog2(INPUT_WORDS);
  localparam int BW = $clog2(POY);
  localparam int QW = $clog2(POX + 2);

  logic [1:0] in_format;
  logic [31:0] in_offset, in_row_pitch;
  logic [19:0] in_height, in_width;
  logic signed [15:0] origin_y, origin_x;
  logic [15:0] row_step, col_step, rows, cols, in_blocks, phase_words, slot_words, in_params;
  logic [15:0] tiles_y, tiles_x;
  logic [7:0] stride, core_y, core_x;
  assign in_format    = layer_i[LAYER_IN_FORMAT_LSB +: LAYER_IN_FORMAT_BITS];
  assign in_offset    = layer_i[LAYER_IN_OFFSET_LSB +: LAYER_IN_OFFSET_BITS];
  assign in_row_pitch = layer_i[LAYER_IN_ROW_PITCH_LSB +: LAYER_IN_ROW_PITCH_BITS];
  assign in_height    = layer_i[LAYER_IN_HEIGHT_LSB +: LAYER_IN_HEIGHT_BITS];
  assign in_width     = layer_i[LAYER_IN_WIDTH_LSB +: LAYER_IN_WIDTH_BITS];
  assign origin_y     = layer_i[LAYER_ORIGIN_Y_LSB +: LAYER_ORIGIN_Y_BITS];
  assign origin_x     = layer_i[LAYER_ORIGIN_X_LSB +: LAYER_ORIGIN_X_BITS];
  assign row_step     = layer_i[LAYER_ROW_STEP_LSB +: LAYER_ROW_STEP_BITS];
  assign col_step     = layer_i[LAYER_COL_STEP_LSB +: LAYER_COL_STEP_BITS];
  assign rows         = layer_i[LAYER_ROWS_LSB +: LAYER_ROWS_BITS];
  assign cols         = layer_i[LAYER_COLS_LSB +: LAYER_COLS_BITS];
  assign stride       = layer_i[LAYER_STRIDE_LSB +: LAYER_STRIDE_BITS];
  assign in_blocks    = layer_i[LAYER_IN_BLOCKS_LSB +: LAYER_IN_BLOCKS_BITS];
  assign phase_words  = layer_i[LAYER_PHASE_WORDS_LSB +: LAYER_PHASE_WORDS_BITS];
  assign slot_words   = layer_i[LAYER_SLOT_WORDS_LSB +: LAYER_SLOT_WORDS_BITS];
  assign tiles_y      = layer_i[LAYER_TILES_Y_LSB +: LAYER_TILES_Y_BITS];
  assign tiles_x      = layer_i[LAYER_TILES_X_LSB +: LAYER_TILES_X_BITS];
  assign core_y       = layer_i[LAYER_CORE_Y_LSB +: LAYER_CORE_Y_BITS];
  assign core_x       = layer_i[LAYER_CORE_X_LSB +: LAYER_CORE_X_BITS];
  assign in_params    = layer_i[LAYER_IN_PARAMS_LSB +: LAYER_IN_PARAMS_BITS];

  // ---- tiles
  typedef enum logic [2:0] {IDLE, WAIT, CLIP, SIZE, PRODUCT, ADDRESS, RUN, NEXT} state_e;
  state_e state;
  logic [15:0] tile_y, tile_x;
  logic signed [21:0] y0, x0, y_end, x_end;            // the window
  logic signed [21:0] y_first, x_first, y_last, x_last;  // its part in the map, ends exclusive
  logic signed [21:0] x_final;
  logic half, release_half;
  logic rows_done, fill_done, last_tile;
  logic [31:0] row_product, x_offset, row_beats, row_address;
  logic [21:0] rows_left;
  logic [15:0] row_words;
  assign y_end = y0 + 22'($signed({1'b0, rows}));
  assign x_end = x0 + 22'($signed({1'b0, cols}));
  assign x_final = x_last - 22'sd1;
  assign last_tile = tile_x + 1'b1 == tiles_x && tile_y + 1'b1 == tiles_y;

  always_ff @(posedge clk_i) begin
    case (state)
      IDLE: ;
      WAIT: if (!half_full_o[half]) state <= CLIP;
      CLIP: begin
        state   <= SIZE;
        y_first <= y0 < 0 ? '0 : y0;
        x_first <= x0 < 0 ? '0 : x0;
        y_last  <= y_end > $signed({2'b0, in_height}) ? $signed({2'b0, in_height}) : y_end;
        x_last  <= x_end > $signed({2'b0, in_width}) ? $signed({2'b0, in_width}) : x_end;
      end
      SIZE: begin
        state     <= PRODUCT;
        rows_left <= y_last > y_first && x_last > x_first ? 22'(y_last - y_first) : '0;
      end
      PRODUCT: begin
        state       <= ADDRESS;
        row_product <= 32'(y_first) * in_row_pitch;
        if (in_format == IN_U8) begin  // 4 pixels a beat
          x_offset  <= 32'(x_first >> 2);
          row_beats <= 32'(x_final >> 2) - 32'(x_first >> 2) + 1'b1;
        end else begin
          x_offset  <= 32'(x_first) * 32'(in_blocks);
          row_beats <= 32'(x_last - x_first) * 32'(in_blocks);
        end
      end
      ADDRESS: begin
        state       <= RUN;
        row_address <= in_offset + row_product + x_offset;
      end
      RUN: begin
        if (req_valid_o && req_ready_i) begin
          rows_left   <= rows_left - 1'b1;
          row_address <= row_address + in_row_pitch;
        end
        if (rows_done && fill_done) state <= NEXT;
      end
      default: begin  // NEXT
        state  <= last_tile ? IDLE : WAIT;
        half   <= !half;
        tile_x <= tile_x + 1'b1;
        x0     <= x0 + 22'(col_step);
        if (tile_x + 1'b1 == tiles_x) begin
          tile_x <= '0;
          x0     <= 22'(origin_x);
          tile_y <= tile_y + 1'b1;
          y0     <= y0 + 22'(row_step);
        end
      end
    endcase
    if (start_i) begin
      state     <= WAIT;
      tile_y    <= '0;
      tile_x    <= '0;
      y0        <= 22'(origin_y);
      x0        <= 22'(origin_x);
      row_words <= 16'(stride * phase_words);
    end
    if (rst_i) begin
      state <= IDLE;
      half  <= 1'b0;
    end
  end
  assign done_o       = state == IDLE;
  assign rows_done    = rows_left == 0;
  assign req_valid_o  = state == RUN && !rows_done;
  assign req_offset_o = row_address;
  assign req_beats_o  = row_beats;

  // A half is full once the last write has passed the pipeline below and that of the buffer.
  logic [3:0] filled;
  logic fill_half;
  always_ff @(posedge clk_i) begin
    filled <= {filled[2:0], state == NEXT};
    if (filled[3]) begin
      half_full_o[fill_half] <= 1'b1;
      fill_half <= !fill_half;
    end
    if (half_release_i) begin
      half_full_o[release_half] <= 1'b0;
      release_half <= !release_half;
    end
    if (rst_i) begin
      filled       <= '0;
      half_full_o  <= '0;
      fill_half    <= 1'b0;
      release_half <= 1'b0;
    end
  end

  // ---- filling: a step for each beat, pixel (picture) or channel (symbols)
  logic fill, filling, row_in, col_in, in_map, last_sub, last_block, last_col, last_row, step;
  logic [15:0] r, j, block;
  logic [1:0] sub;  // channel within a beat of symbols
  logic [7:0] phase_y, phase_x;
  logic [15:0] row_base, col_base, slot_base;
  logic [BW-1:0] bank;
  logic [QW-1:0] q;
  logic signed [21:0] y, x;
  logic pop;
  assign row_in     = y >= 0 && y < $signed({2'b0, in_height});
  assign col_in     = x >= 0 && x < $signed({2'b0, in_width});
  assign in_map     = row_in && col_in;
  assign last_sub   = in_format != IN_S32 || sub == 2'd3;
  assign last_block = last_sub && block + 1'b1 == in_blocks;
  assign last_col   = last_block && j + 1'b1 == cols;
  assign last_row   = last_col && r + 1'b1 == rows;
  assign step       = filling && (!in_map || data_valid_i);
  // The beat is used up: always in a 16-bit map, after 4 channels, after 4 pixels or the last one.
  assign pop          = in_format == IN_U8 ? x[1:0] == 2'd3 || x + 1 == x_last : last_sub;
  assign data_ready_o = filling && in_map && pop;
  assign fill         = state == ADDRESS;

  always_ff @(posedge clk_i) begin
    if (step) begin
      sub <= sub + 1'b1;
      if (last_sub) begin
        sub   <= '0;
        block <= block + 1'b1;
      end
      if (last_block) begin
        block    <= '0;
        j        <= j + 1'b1;
        x        <= x + 1'b1;
        phase_x  <= phase_x + 1'b1;
        col_base <= col_base + phase_words;
        if (phase_x + 1'b1 == stride) begin
          phase_x  <= '0;
          col_base <= '0;
          q        <= q + 1'b1;
        end
      end
      if (last_col) begin
        j        <= '0;
        x        <= x0;
        phase_x  <= '0;
        col_base <= '0;
        q        <= '0;
        r        <= r + 1'b1;
        y        <= y + 1'b1;
        phase_y  <= phase_y + 1'b1;
        row_base <= row_base + row_words;
        if (phase_y + 1'b1 == stride) begin
          phase_y  <= '0;
          row_base <= slot_base;
          bank     <= bank + 1'b1;
          if (bank == (BW)'(POY - 1)) begin
            slot_base <= slot_words;
            row_base  <= slot_words;
          end
        end
      end
      if (last_row) begin
        filling   <= 1'b0;
        fill_done <= 1'b1;
      end
    end
    if (fill) begin
      filling   <= 1'b1;
      fill_done <= 1'b0;
      r         <= '0;
      j         <= '0;
      block     <= '0;
      sub       <= '0;
      phase_y   <= '0;
      phase_x   <= '0;
      row_base  <= '0;
      col_base  <= '0;
      slot_base <= '0;
      bank      <= '0;
      q         <= '0;
      y         <= y0;
      x         <= x0;
    end
    if (rst_i) begin
      filling   <= 1'b0;
      fill_done <= 1'b0;
    end
  end

  // ---- stage 1: the step and its data; the symbol's parameter arrives
  logic v1, half1, in_map1, core1, v2, half2, in_map2, core2, symbols2;
  logic [BW-1:0] bank1, bank2;
  logic [QW-1:0] q1, q2;
  logic [AW-1:0] addr1, addr2;
  logic [7:0] mask1, mask2;
  logic [127:0] data1, data2;
  logic [31:0] symbol1;
  logic [15:0] word;
  always_comb begin
    word = row_base + col_base;
    if (in_format == IN_I16) word = word + (block << 3);
    if (in_format == IN_S32) word = word + ((block >> 1) << 3);
  end
  assign param_addr_o = in_params + (block << 2) + 16'(sub);
  always_ff @(posedge clk_i) begin
    v1      <= step;
    half1   <= half;
    in_map1 <= in_map;
    core1   <= r >= 16'(core_y) && r < 16'(core_y) + 16'(POY)
            && j >= 16'(core_x) && j < 16'(core_x) + 16'(POX);
    bank1   <= bank;
    q1      <= q;
    addr1   <= word[AW-1:0];
    case (in_format)
      IN_U8: begin
        mask1 <= 8'h0F;
        for (int k = 0; k < 8; k++) begin
          data1[k*16 +: 16] <= k < 4 ? 16'(data_i[(32'(x[1:0]) * 4 + k) * 8 +: 8]) : 16'd0;
        end
      end
      IN_S32:  mask1 <= 8'd1 << {block[0], sub};
      default: begin
        mask1 <= 8'hFF;
        data1 <= data_i;
      end
    endcase
    symbol1 <= data_i[32'(sub) * 32 +: 32];
    if (rst_i) v1 <= 1'b0;
  end

  // ---- stage 2: symbol << shift + offset, in range or not. More than 18 bits of a symbol saturate
  // whatever the parameters, so the rest is reduced to them first.
  logic signed [17:0] symbol18;
  logic signed [33:0] latent;
  logic signed [15:0] latent_clipped;
  always_comb begin
    if ($signed(symbol1) > 32'sd131071) symbol18 = 18'sh1FFFF;
    else if ($signed(symbol1) < -32'sd131072) symbol18 = 18'sh20000;
    else symbol18 = symbol1[17:0];
  end
  always_ff @(posedge clk_i) begin
    v2       <= v1;
    half2    <= half1;
    in_map2  <= in_map1;
    core2    <= core1;
    bank2    <= bank1;
    q2       <= q1;
    addr2    <= addr1;
    mask2    <= mask1;
    data2    <= data1;
    symbols2 <= in_format == IN_S32;
    latent   <= (34'(symbol18) <<< param_i[PARAM_SHIFT_LSB +: 4])
              + 34'($signed(param_i[PARAM_BIAS_LSB +: 16]));
    if (rst_i) v2 <= 1'b0;
  end

  // ---- stage 3: to the buffer
  logic clips;
  assign clips = latent > 34'sd32767 || latent < -34'sd32768;
  assign latent_clipped = latent > 34'sd32767 ? 16'sh7FFF
                        : latent < -34'sd32768 ? 16'sh8000 : latent[15:0];
  always_ff @(posedge clk_i) begin
    we_o         <= v2;
    whalf_o      <= half2;
    wbank_o      <= bank2;
    wstep_o      <= q2;
    waddr_o      <= addr2;
    wmask_o      <= mask2;
    wdata_o      <= !in_map2 ? '0 : symbols2 ? {8{latent_clipped}} : data2;
    saturation_o <= v2 && symbols2 && in_map2 && core2 && clips;
    if (rst_i) begin
      we_o         <= 1'b0;
      saturation_o <= 1'b0;
    end
  end
endmodule

`default_nettype wire
