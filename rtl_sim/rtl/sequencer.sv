// Walks a layer's tiles, passes, taps and channels and issues one step of the array per cycle.
// A step waits for the tile's window, for its weight, for the held channel (γ passes), and, where it
// is the last of a pass, for the sums before it to be drained. Passes are those of a table that
// pass_checker lets pass, or their results are not stored. No cycle is lost between passes of
// 4 cycles or more.
`default_nettype none

module sequencer
  import xlic_isa_pkg::*;
#(
  parameter int POY         = 4,
  parameter int POX         = 16,
  parameter int INPUT_WORDS = 1024,
  parameter int CHANNELS    = 256
) (
  input  wire logic                           clk_i,
  input  wire logic                           rst_i,
  input  wire logic                           start_i,
  input  wire logic [1023:0]                  layer_i,
  output logic                                busy_o,          // steps remain to be issued
  // Pass table, a cycle after the address; tap table, in the same cycle.
  output logic                                pass_re_o,
  output logic [15:0]                         pass_addr_o,
  input  wire logic [127:0]                   pass_i,
  output logic [15:0]                         tap_addr_o,
  input  wire logic [31:0]                    tap_i,
  // What steps wait for.
  input  wire logic [1:0]                     half_full_i,     // halves of the input buffer
  output logic                                half_release_o,  // the current one has been read
  input  wire logic [23:0]                    weights_loaded_i,
  input  wire logic                           held_i,          // one more channel is held
  input  wire logic                           released_i,      // the drain needs the shadow no more
  // Steps.
  output logic                                valid_o,
  output logic                                first_o,
  output logic                                last_o,
  output logic                                gamma_o,
  output logic [$clog2(INPUT_WORDS)-1:0]      word_o,
  output logic [1:0]                          dy_o,
  output logic [1:0]                          dx_o,
  output logic [2:0]                          skew_o,
  output logic [$clog2(CHANNELS)-1:0]         channel_o,
  output logic                                read_half_o,
  output logic [23:0]                         weight_addr_o,
  // To the drain, for each pass.
  output logic                                drain_valid_o,
  output logic [92:0]                         drain_o,
  // Counting.
  output logic                                wait_load_o,
  output logic                                wait_weight_o,
  output logic                                wait_store_o
);
  localparam int IW = $clog2(INPUT_WORDS);
  localparam int CW = $clog2(CHANNELS);

  logic [15:0] pass_first, pass_count, tiles_y, tiles_x;
  assign pass_first = layer_i[LAYER_PASS_FIRST_LSB +: LAYER_PASS_FIRST_BITS];
  assign pass_count = layer_i[LAYER_PASS_COUNT_LSB +: LAYER_PASS_COUNT_BITS];
  assign tiles_y    = layer_i[LAYER_TILES_Y_LSB +: LAYER_TILES_Y_BITS];
  assign tiles_x    = layer_i[LAYER_TILES_X_LSB +: LAYER_TILES_X_BITS];

  // ---- fetching pass records ahead
  logic running, fetched_all, fetching, next_valid, take, finished;
  logic [15:0] index, tile_y, tile_x;
  logic [19:0] fetch_grid_y, fetch_grid_x, next_grid_y, next_grid_x;
  logic [127:0] next;
  assign pass_re_o   = running && !fetched_all && !fetching && !next_valid;
  assign pass_addr_o = pass_first + index;

  logic [15:0] n_count, n_tap_first, n_tap_count, n_channel, n_param;
  logic [2:0] n_to;
  logic n_gamma;
  assign n_count     = next[PASS_COUNT_LSB +: PASS_COUNT_BITS];
  assign n_tap_first = next[PASS_TAP_FIRST_LSB +: PASS_TAP_FIRST_BITS];
  assign n_tap_count = next[PASS_TAP_COUNT_LSB +: PASS_TAP_COUNT_BITS];
  assign n_channel   = next[PASS_CHANNEL_BASE_LSB +: PASS_CHANNEL_BASE_BITS];
  assign n_param     = next[PASS_PARAM_BASE_LSB +: PASS_PARAM_BASE_BITS];
  assign n_to        = next[PASS_DESTINATION_LSB +: PASS_DESTINATION_BITS];
  assign n_gamma     = next[PASS_GAMMA_LSB];

  always_ff @(posedge clk_i) begin
    fetching <= pass_re_o;
    if (fetching) begin
      next        <= pass_i;
      next_valid  <= 1'b1;
      next_grid_y <= fetch_grid_y;
      next_grid_x <= fetch_grid_x;
      index       <= index + 1'b1;
      if (index + 1'b1 == pass_count) begin
        index        <= '0;
        tile_x       <= tile_x + 1'b1;
        fetch_grid_x <= fetch_grid_x + 20'(POX);
        if (tile_x + 1'b1 == tiles_x) begin
          tile_x       <= '0;
          fetch_grid_x <= '0;
          tile_y       <= tile_y + 1'b1;
          fetch_grid_y <= fetch_grid_y + 20'(POY);
          if (tile_y + 1'b1 == tiles_y) fetched_all <= 1'b1;
        end
      end
    end
    if (take) next_valid <= 1'b0;
    if (start_i) begin
      running      <= 1'b1;
      fetched_all  <= 1'b0;
      index        <= '0;
      tile_y       <= '0;
      tile_x       <= '0;
      fetch_grid_y <= '0;
      fetch_grid_x <= '0;
    end
    if (running && finished) running <= 1'b0;
    if (rst_i) begin
      running    <= 1'b0;
      fetching   <= 1'b0;
      next_valid <= 1'b0;
    end
  end

  // ---- the current pass
  logic active, gamma, phase_begin, tile_end, emit_begin, emit_end;
  logic [2:0] to;
  logic [15:0] count, channel_base, param_base, channel, taps_left, tap_index, word, held;
  logic [7:0] phase_y, phase_x;
  logic [19:0] grid_y, grid_x;
  logic [23:0] weight;
  logic [1:0] dy, dx;
  logic first, last, last_channel, issue, half;
  logic undrained, hold_missing, weight_missing, window_missing, drain_missing;

  assign last_channel   = channel + 1'b1 == count;
  assign last           = last_channel && taps_left == 16'd1;
  assign window_missing = !gamma && !half_full_i[half];
  assign weight_missing = weight >= weights_loaded_i;
  assign hold_missing   = gamma && channel >= held;
  assign drain_missing  = last && undrained && !released_i;
  assign issue          = active && !window_missing && !weight_missing && !hold_missing
                        && !drain_missing;
  assign wait_load_o    = active && window_missing;
  assign wait_weight_o  = active && !window_missing && weight_missing;
  assign wait_store_o   = active && !window_missing && !weight_missing
                        && (hold_missing || drain_missing);
  assign take           = next_valid && (!active || (issue && last));
  assign tap_addr_o     = take ? n_tap_first : tap_index + 1'b1;
  assign finished       = fetched_all && !fetching && !next_valid && !active;
  assign busy_o         = running;

  always_ff @(posedge clk_i) begin
    if (issue) begin
      first   <= 1'b0;
      channel <= channel + 1'b1;
      word    <= word + 1'b1;
      weight  <= weight + 1'b1;
      if (last_channel) begin
        channel   <= '0;
        taps_left <= taps_left - 1'b1;
        tap_index <= tap_index + 1'b1;
        word      <= tap_i[TAP_OFFSET_LSB +: TAP_OFFSET_BITS];
        dy        <= tap_i[TAP_DY_LSB +: TAP_DY_BITS];
        dx        <= tap_i[TAP_DX_LSB +: TAP_DX_BITS];
      end
      if (last) begin
        active <= 1'b0;
        if (tile_end) half <= !half;
      end
    end
    if (take) begin
      active       <= 1'b1;
      first        <= 1'b1;
      gamma        <= n_gamma;
      to           <= n_to;
      count        <= n_count;
      channel      <= '0;
      channel_base <= n_channel;
      param_base   <= n_param;
      taps_left    <= n_gamma ? 16'd1 : n_tap_count;
      tap_index    <= n_tap_first;
      word         <= tap_i[TAP_OFFSET_LSB +: TAP_OFFSET_BITS];
      dy           <= tap_i[TAP_DY_LSB +: TAP_DY_BITS];
      dx           <= tap_i[TAP_DX_LSB +: TAP_DX_BITS];
      weight       <= next[PASS_WEIGHT_BASE_LSB +: PASS_WEIGHT_BASE_BITS];
      phase_begin  <= next[PASS_PHASE_BEGIN_LSB];
      tile_end     <= next[PASS_TILE_END_LSB];
      emit_begin   <= next[PASS_EMIT_BEGIN_LSB];
      emit_end     <= next[PASS_EMIT_END_LSB];
      phase_y      <= next[PASS_PHASE_Y_LSB +: PASS_PHASE_Y_BITS];
      phase_x      <= next[PASS_PHASE_X_LSB +: PASS_PHASE_X_BITS];
      grid_y       <= next_grid_y;
      grid_x       <= next_grid_x;
    end
    // Held channels are counted from the first step of a phase: by then all of the phase before
    // have been used.
    if (issue && first && phase_begin) held <= '0;
    else if (held_i) held <= held + 1'b1;
    if (issue && last) undrained <= 1'b1;
    else if (released_i) undrained <= 1'b0;

    valid_o       <= issue;
    first_o       <= first;
    last_o        <= last;
    gamma_o       <= gamma;
    word_o        <= word[IW-1:0];
    dy_o          <= dy;
    dx_o          <= dx;
    skew_o        <= channel[2:0];
    channel_o     <= channel[CW-1:0];
    read_half_o   <= half;
    weight_addr_o <= weight;
    drain_valid_o <= issue && last;
    drain_o       <= {to, channel_base, param_base, emit_begin, emit_end, phase_y, phase_x,
                      grid_y, grid_x};
    if (rst_i) begin
      active        <= 1'b0;
      half          <= 1'b0;
      held          <= '0;
      undrained     <= 1'b0;
      valid_o       <= 1'b0;
      drain_valid_o <= 1'b0;
    end
  end

  // The half is free once its last word has left the memory: two cycles after the step is issued.
  logic [2:0] release_q;
  always_ff @(posedge clk_i) begin
    release_q <= {release_q[1:0], issue && last && tile_end};
    if (rst_i) release_q <= '0;
  end
  assign half_release_o = release_q[2];
endmodule

`default_nettype wire
