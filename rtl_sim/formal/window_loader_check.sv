// window_loader: for each tile, the rows that lie in the map are requested, each once, no beat outside
// the map; every beat requested is used up by the pixels it holds; every word of the window is written
// once, where docs/accelerator.md puts it and below INPUT_WORDS, with its value or zero; a half is
// written only while it is not full. The layer is any of small numbers (its fields are as narrow as
// the registers below) that layer_checker lets pass; stalls are free.
`default_nettype none

module window_loader_check
  import xlic_isa_pkg::*;
#(
  parameter int POY         = 2,
  parameter int POX         = 4,
  parameter int INPUT_WORDS = 128
) (
  input wire logic         clk_i,
  input wire logic         rst_i,
  input wire logic         start_i,
  input wire logic         half_release_i,
  input wire logic         req_ready_i,
  input wire logic         data_valid_i,
  input wire logic [127:0] data_i,
  input wire logic [63:0]  param_i
);
  localparam int AW = $clog2(INPUT_WORDS);

  // ---- the layer
  logic [1:0] format, stride, blocks, phase_blocks, tiles_y, tiles_x, core_y, core_x;
  logic [31:0] offset;
  logic [2:0] pitch, height, row_step, col_step, rows;
  logic [3:0] width, cols, in_params;
  logic signed [2:0] origin_y, origin_x;
  logic [7:0] slot_words;
  logic [1023:0] layer;
  always_ff @(posedge clk_i) begin
    {format, stride, blocks, phase_blocks, tiles_y, tiles_x, core_y, core_x}
      <= {format, stride, blocks, phase_blocks, tiles_y, tiles_x, core_y, core_x};
    {offset, pitch, height, row_step, col_step, rows, width, cols, in_params}
      <= {offset, pitch, height, row_step, col_step, rows, width, cols, in_params};
    {origin_y, origin_x, slot_words} <= {origin_y, origin_x, slot_words};
  end
  logic [7:0] phase_words;
  assign phase_words = {3'b0, phase_blocks, 3'b0};
  always_comb begin
    layer = '0;
    layer[LAYER_IN_FORMAT_LSB +: 2]    = format;
    layer[LAYER_IN_OFFSET_LSB +: 32]   = offset;
    layer[LAYER_IN_ROW_PITCH_LSB +: 3] = pitch;
    layer[LAYER_IN_HEIGHT_LSB +: 3]    = height;
    layer[LAYER_IN_WIDTH_LSB +: 4]     = width;
    layer[LAYER_ORIGIN_Y_LSB +: 16]    = 16'(origin_y);
    layer[LAYER_ORIGIN_X_LSB +: 16]    = 16'(origin_x);
    layer[LAYER_ROW_STEP_LSB +: 3]     = row_step;
    layer[LAYER_COL_STEP_LSB +: 3]     = col_step;
    layer[LAYER_ROWS_LSB +: 3]         = rows;
    layer[LAYER_COLS_LSB +: 4]         = cols;
    layer[LAYER_STRIDE_LSB +: 2]       = stride;
    layer[LAYER_IN_BLOCKS_LSB +: 2]    = blocks;
    layer[LAYER_PHASE_WORDS_LSB +: 8]  = phase_words;
    layer[LAYER_SLOT_WORDS_LSB +: 8]   = slot_words;
    layer[LAYER_TILES_Y_LSB +: 2]      = tiles_y;
    layer[LAYER_TILES_X_LSB +: 2]      = tiles_x;
    layer[LAYER_CORE_Y_LSB +: 2]       = core_y;
    layer[LAYER_CORE_X_LSB +: 2]       = core_x;
    layer[LAYER_IN_PARAMS_LSB +: 4]    = in_params;
    // layer_checker refuses others.
    assume (format != 3 && height != 0 && width != 0 && rows != 0 && cols != 0 && stride != 0);
    assume (blocks != 0 && phase_blocks != 0 && tiles_y != 0 && tiles_x != 0);
    assume (8'(rows) <= 2 * POY * 8'(stride) && 8'(cols) <= (POX + 2) * 8'(stride));
    assume ((format == IN_I16 ? 8'(blocks) * 8 : format == IN_S32 ? 8'(blocks) * 4 : 8)
            <= phase_words);
    assume (format != IN_U8 || blocks == 1);
    assume (12'(slot_words) >= 12'(stride) * 12'(stride) * 12'(phase_words));
    assume ((8'(rows) > POY * 8'(stride) ? 9'(slot_words) * 2 : 9'(slot_words)) <= INPUT_WORDS);
  end

  logic done, req_valid, data_ready, we, whalf, saturation;
  logic [1:0] half_full;
  logic [31:0] req_offset, req_beats;
  logic [15:0] param_addr;
  logic [$clog2(POY)-1:0] wbank;
  logic [AW-1:0] waddr;
  logic [$clog2(POX+2)-1:0] wstep;
  logic [7:0] wmask;
  logic [127:0] wdata;
  window_loader #(.POY(POY), .POX(POX), .INPUT_WORDS(INPUT_WORDS)) dut (
    .clk_i, .rst_i, .start_i, .layer_i(layer), .done_o(done), .half_full_o(half_full),
    .half_release_i, .req_valid_o(req_valid), .req_ready_i, .req_offset_o(req_offset),
    .req_beats_o(req_beats), .data_valid_i, .data_ready_o(data_ready), .data_i,
    .param_addr_o(param_addr), .param_i, .we_o(we), .whalf_o(whalf), .wbank_o(wbank),
    .waddr_o(waddr), .wstep_o(wstep), .wmask_o(wmask), .wdata_o(wdata),
    .saturation_o(saturation)
  );
  typedef enum logic [2:0] {IDLE, WAIT, CLIP, SIZE, PRODUCT, ADDRESS, RUN, NEXT} state_e;

  // ---- tiles
  logic started = 1'b0, running, begins, ends, fill_half, free_half;
  logic [1:0] tile_y, tile_x;
  logic signed [7:0] y0, x0, ya, yb, xa, xb;  // the window; its part in the map, ends exclusive
  logic any;
  logic [8:0] due;  // beats requested and not used up
  assign begins = dut.state == ADDRESS;
  assign ends   = dut.state == NEXT;
  assign y0 = 8'(origin_y) + $signed(8'(tile_y) * 8'(row_step));
  assign x0 = 8'(origin_x) + $signed(8'(tile_x) * 8'(col_step));
  always_comb begin
    ya = y0 < 0 ? '0 : y0;
    xa = x0 < 0 ? '0 : x0;
    yb = y0 + $signed(8'(rows)) > $signed(8'(height)) ? 8'(height) : y0 + 8'(rows);
    xb = x0 + $signed(8'(cols)) > $signed(8'(width)) ? 8'(width) : x0 + 8'(cols);
  end
  assign any = ya < yb && xa < xb;
  always_ff @(posedge clk_i) begin
    started <= 1'b1;
    if (ends) begin
      tile_x    <= tile_x + 1'b1;
      fill_half <= !fill_half;
      if (tile_x + 1'b1 == tiles_x) begin
        tile_x  <= '0;
        tile_y  <= tile_y + 1'b1;
        running <= tile_y + 1'b1 != tiles_y;
      end
    end
    if (start_i) {tile_y, tile_x, running} <= 5'b0000_1;
    if (half_release_i) free_half <= !free_half;
    if (rst_i) {tile_y, tile_x, running, fill_half, free_half} <= '0;
  end
  always_comb begin
    assume (rst_i == !started);
    // A layer begins when the one before has been computed.
    if (start_i) assume (started && !running && half_full == 0 && dut.filled == 0);
    if (half_release_i) assume (half_full[free_half]);
    if (data_valid_i) assume (due != 0);  // the reader brings what was requested
  end

  // ---- requests: rows to come, beats of a row
  logic signed [7:0] next_y;
  logic [5:0] first, beats, row_end;
  logic request, pop;
  always_comb begin
    if (format == IN_U8) begin
      first   = 6'(xa >> 2);
      beats   = 6'((xb - 8'sd1) >> 2) - first + 1'b1;
      row_end = (6'(width) + 6'd3) >> 2;
    end else begin
      first   = 6'(xa) * 6'(blocks);
      beats   = 6'(xb - xa) * 6'(blocks);
      row_end = 6'(width) * 6'(blocks);
    end
  end
  assign request = req_valid && req_ready_i;
  assign pop     = data_ready && data_valid_i;
  always_ff @(posedge clk_i) begin
    if (begins) next_y <= ya;
    if (request) next_y <= next_y + 1'b1;
    due <= due + (request ? 9'(req_beats) : '0) - 9'(pop);
    if (rst_i) due <= '0;
  end

  // ---- the window, pixel by pixel, block by block, symbols channel by channel
  logic [3:0] r, j;
  logic [1:0] b, sub, subs;
  logic filling, filled, step, in_map, in_row, last_pixel;
  logic signed [7:0] y, x;
  logic [5:0] used, wanted;  // beats of this row: used up, before the one with this pixel
  logic fill_end;
  assign step   = dut.step;
  assign y      = y0 + $signed({4'b0, r});
  assign x      = x0 + $signed({4'b0, j});
  assign in_row = y >= 0 && y < $signed(8'(height));
  assign in_map = in_row && x >= 0 && x < $signed(8'(width));
  assign subs   = format == IN_S32 ? 2'd3 : 2'd0;
  assign wanted = format == IN_U8 ? 6'(x >> 2) - first : 6'(x - xa) * 6'(blocks) + 6'(b);
  assign last_pixel = sub == subs && b + 1'b1 == blocks;
  assign fill_end   = last_pixel && j + 1'b1 == cols && r + 1'b1 == 4'(rows);
  always_ff @(posedge clk_i) begin
    if (step) begin
      sub <= sub + 1'b1;
      if (sub == subs) {sub, b} <= {2'b0, 2'(b + 1'b1)};
      if (last_pixel) {sub, b, j} <= {4'b0, 4'(j + 1'b1)};
      if (pop) used <= used + 1'b1;
      if (last_pixel && j + 1'b1 == cols) begin
        {sub, b, j, used} <= '0;
        r <= r + 1'b1;
      end
      if (fill_end) {filling, filled} <= 2'b01;
    end
    if (begins) {sub, b, j, r, used, filling, filled} <= 2'b10;
    if (rst_i) {filling, filled} <= '0;
  end

  // ---- where a word goes
  logic [3:0] u, row_phase, q, column_phase;
  logic [10:0] word, address;
  logic [7:0] mask;
  assign u            = r / 4'(stride);
  assign row_phase    = r % 4'(stride);
  assign q            = j / 4'(stride);
  assign column_phase = j % 4'(stride);
  always_comb begin
    word = (11'(row_phase) * 11'(stride) + 11'(column_phase)) * 11'(phase_words);
    if (u >= POY) word = word + 11'(slot_words);
    address = word;
    mask    = 8'h0F;
    if (format == IN_I16) begin
      address = word + 11'(8 * b);
      mask    = 8'hFF;
    end else if (format == IN_S32) begin
      address = word + 11'(8 * b[1]);
      mask    = 8'd1 << {b[0], sub};
    end
  end
  // What must come out three cycles after the step.
  typedef struct packed {
    logic valid, half, in_map, core;
    logic [3:0] bank, q;
    logic [10:0] address;
    logic [7:0] mask;
    logic [127:0] data;
  } write_t;
  write_t now, w1, w2, w3;
  logic signed [31:0] symbol;
  logic signed [49:0] latent;  // wide enough for any symbol, shift and offset
  always_comb begin
    now = '{valid: step, half: fill_half, in_map: in_map, bank: u % POY, q: q, address: address,
            mask: mask, data: data_i, core: '0};
    now.core = r >= 4'(core_y) && r < 4'(core_y) + POY && j >= 4'(core_x) && j < 4'(core_x) + POX;
    if (format == IN_U8) begin
      for (int k = 0; k < 4; k++) now.data[k*16 +: 16] = 16'(data_i[(32'(x[1:0]) * 4 + k) * 8 +: 8]);
    end
    if (format == IN_S32) now.data[31:0] = data_i[32'(sub) * 32 +: 32];
  end
  assign symbol = w1.data[31:0];
  always_ff @(posedge clk_i) begin
    w1     <= now;
    w2     <= w1;
    w3     <= w2;
    latent <= (50'(symbol) <<< param_i[PARAM_SHIFT_LSB +: 4])
            + 50'($signed(param_i[PARAM_BIAS_LSB +: 16]));
    if (format == IN_S32) begin
      w3.data <= {8{latent > 32767 ? 16'h7FFF : latent < -32768 ? 16'h8000 : latent[15:0]}};
    end
    w3.core <= format == IN_S32 && w2.valid && w2.in_map && w2.core
            && (latent > 32767 || latent < -32768);
    if (rst_i) begin
      w1.valid <= 1'b0;
      w2.valid <= 1'b0;
      w3.valid <= 1'b0;
    end
  end

  always_comb if (started) begin
    // Requests.
    if (req_valid) begin
      row_asked:  assert (filling || filled);
      row_inside: assert (any && next_y >= ya && next_y < yb && ya >= 0 && yb <= $signed(8'(height)));
      row_exact:  assert (req_offset == offset + 32'(next_y) * 32'(pitch) + 32'(first)
                          && req_beats == 32'(beats));
      in_map_row: assert (beats != 0 && first + beats <= row_end);
    end
    if (ends) begin
      all_rows:  assert (!any || next_y == yb);
      all_words: assert (filled);
      all_used:  assert (due == 0);
    end
    // Steps: a beat is at hand when its pixel is, and is kept until its last one.
    if (step) begin
      no_step_after: assert (filling);
      if (in_map) beat_of_pixel: assert (data_valid_i && used == wanted);
      if (format == IN_S32) param_of_channel: assert (param_addr == 16'(in_params) + 16'(4 * b) + 16'(sub));
    end
    if (pop) pop_used: assert (step && in_map);
    if (filling && !step) waits_for_due: assert (in_map && (due != 0 || req_valid));
    // Writes.
    write: assert (we == w3.valid);
    if (we) begin
      place: assert (whalf == w3.half && 4'(wbank) == w3.bank && 4'(wstep) == w3.q
                     && wstep < POX + 2 && 11'(waddr) == w3.address
                     && (w3.address | 11'd7) < INPUT_WORDS && wmask == w3.mask);
      for (int k = 0; k < 8; k++) begin
        if (wmask[k]) begin
          assert (wdata[k*16 +: 16] == (w3.in_map ? w3.data[k*16 +: 16] : '0));
        end
      end
      not_full: assert (!half_full[whalf]);
    end
    saturated: assert (saturation == (w3.valid && w3.core));
    if (dut.filled[3]) landed: assert (!we && !dut.v2 && !dut.v1);
    // The end.
    over: assert (done == !running);

    c_layer: cover (done && tile_y == 2 && tiles_x == 1 && format == IN_I16 && stride == 2);
    c_picture: cover (ends && format == IN_U8 && beats == 2 && x0 == -1 && rows == 2);
    c_symbols: cover (saturation && w3.bank == 1 && wdata[15:0] == 16'h8000 && wmask[5]);
    c_slot: cover (we && w3.bank == 0 && w3.in_map && w3.address > 11'(slot_words));
    c_outside: cover (ends && !any);
    c_waits: cover (dut.state == WAIT && half_full == 3 && tile_y == 1 && tiles_x == 2);
  end

  // ---- invariants
  logic signed [7:0] passed_y;  // rows above it have been used up
  logic [2:0] ahead;            // rows requested and not used up
  logic in_tile;
  logic [15:0] slot;
  always_comb begin
    passed_y = y < ya ? ya : y > yb ? yb : y;
    ahead    = any ? 3'(next_y - passed_y) : '0;
    slot     = u >= POY ? 16'(slot_words) : '0;
  end
  assign in_tile = dut.state == RUN || dut.state == NEXT;
  always_comb if (started) begin
    // Tiles.
    i_running: assert (running == (dut.state != IDLE));
    i_halves: assert (dut.half == fill_half && dut.release_half == free_half);
    if (running) begin
      i_tile: assert (dut.tile_y == 16'(tile_y) && dut.tile_x == 16'(tile_x)
                      && tile_y < tiles_y && tile_x < tiles_x);
      i_window: assert (dut.y0 == 22'(y0) && dut.x0 == 22'(x0));
      i_row_words: assert (dut.row_words == 16'(stride) * 16'(phase_words));
    end
    if (dut.state >= SIZE) begin
      i_part: assert (dut.y_first == 22'(ya) && dut.y_last == 22'(yb)
                      && dut.x_first == 22'(xa) && dut.x_last == 22'(xb));
    end
    // A half fills up while the next tile is made ready.
    if (dut.state >= CLIP) i_free: assert (!half_full[fill_half]);
    i_pending: assert ($onehot0(dut.filled) && dut.fill_half == (fill_half ^ (dut.filled != 0)));
    if (dut.filled != 0) i_unfilled: assert (!half_full[dut.fill_half]);
    if (dut.filled[0]) i_filled_0: assert (dut.state <= WAIT);
    if (dut.filled[1]) i_filled_1: assert (dut.state <= CLIP);
    if (dut.filled[2]) i_filled_2: assert (dut.state <= SIZE);
    if (dut.filled[3]) i_filled_3: assert (dut.state <= PRODUCT);
    // Requests.
    if (dut.state == PRODUCT || dut.state == ADDRESS) begin
      i_rows: assert (dut.rows_left == (any ? 22'(yb - ya) : '0));
    end
    if (dut.state == ADDRESS) i_product: assert (dut.row_product == 32'(ya) * 32'(pitch));
    if (dut.state == ADDRESS && any) i_offset: assert (dut.x_offset == 32'(first));
    if (dut.state >= ADDRESS && any) i_beats: assert (dut.row_beats == 32'(beats));
    if (in_tile) begin
      i_left: assert (dut.rows_left == (any ? 22'(yb - next_y) : '0));
      if (any) begin
        i_next: assert (next_y >= passed_y && next_y <= yb);
        i_address: assert (dut.row_address
                           == offset + 32'(next_y) * 32'(pitch) + 32'(first));
      end
      i_ahead: assert (10'(due) + 10'(used) == 10'(ahead) * 10'(beats));
    end else i_none: assert (due == 0);
    // Filling.
    i_filling: assert (dut.filling == filling && dut.fill_done == filled);
    if (in_tile) i_fills: assert (filling != filled);
    if (filling) begin
      i_run: assert (dut.state == RUN);
      i_at: assert (dut.r == 16'(r) && dut.j == 16'(j) && dut.block == 16'(b) && dut.sub == sub);
      i_in: assert (r < 4'(rows) && j < cols && b < blocks && sub <= subs);
      i_pixel: assert (dut.y == 22'(y) && dut.x == 22'(x));
      if (in_map) i_wanted: assert (any && wanted < beats);
      i_used: assert (used == (!any || !in_row || x < xa ? '0 : x < xb ? wanted : beats));
      i_phases: assert (dut.phase_y == 8'(row_phase) && dut.phase_x == 8'(column_phase));
      i_bank: assert (4'(dut.bank) == u % POY && 4'(dut.q) == q && u < 2 * POY && q < POX + 2);
      i_slot: assert (dut.slot_base == slot);
      i_row_base: assert (dut.row_base
                          == slot + 16'(row_phase) * 16'(stride) * 16'(phase_words));
      i_col_base: assert (dut.col_base == 16'(column_phase) * 16'(phase_words));
    end
    if (in_tile && filled) i_past: assert (r == 4'(rows) && used == 0);
    // Stages.
    i_valid: assert (dut.v1 == w1.valid && dut.v2 == w2.valid);
    if (w1.valid) begin
      i_half_1: assert (dut.state == RUN && w1.half == fill_half);
      i_stage_1: assert (dut.half1 == w1.half && dut.in_map1 == w1.in_map && dut.core1 == w1.core
                         && 4'(dut.bank1) == w1.bank && 4'(dut.q1) == w1.q && dut.mask1 == w1.mask);
      i_place_1: assert (11'(dut.addr1) == w1.address && (w1.address | 11'd7) < INPUT_WORDS
                         && w1.q < POX + 2);
      if (format == IN_S32) i_symbol_1: assert (dut.symbol1 == w1.data[31:0]);
      if (format == IN_U8) begin
        i_pixel_1: assert (w1.mask == 8'h0F && dut.data1[63:0] == w1.data[63:0]);
      end
      if (format == IN_I16) i_beat_1: assert (dut.data1 == w1.data);
    end
    if (w2.valid) begin
      i_half_2: assert (in_tile && w2.half == fill_half);
      i_stage_2: assert (dut.half2 == w2.half && dut.in_map2 == w2.in_map && dut.core2 == w2.core
                         && 4'(dut.bank2) == w2.bank && 4'(dut.q2) == w2.q && dut.mask2 == w2.mask);
      i_place_2: assert (11'(dut.addr2) == w2.address && (w2.address | 11'd7) < INPUT_WORDS
                         && w2.q < POX + 2);
      i_symbols: assert (dut.symbols2 == (format == IN_S32));
      if (format == IN_S32) begin
        i_high: assert ((latent > 32767) == (dut.latent > 34'sd32767));
        i_low: assert ((latent < -32768) == (dut.latent < -34'sd32768));
        if (!dut.clips) i_latent: assert (latent[15:0] == dut.latent[15:0]);
      end
      if (format == IN_U8) begin
        i_pixel_2: assert (w2.mask == 8'h0F && dut.data2[63:0] == w2.data[63:0]);
      end
      if (format == IN_I16) i_beat_2: assert (dut.data2 == w2.data);
    end
    if (w3.valid) begin
      i_half_3: assert (in_tile ? w3.half == fill_half : dut.filled[0] && w3.half != fill_half);
    end
  end
endmodule

`default_nettype wire
