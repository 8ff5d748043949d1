// sequencer: for every tile and pass of the layer, and nothing else, the steps of tap after tap and
// channel after channel, each with its own weight, word and offsets. A step comes only when its
// window is full, its weight loaded, its channel held; the last of a pass only when the pass before
// is drained; a window is released after its last read. Tables, layer and stalls are free.
`default_nettype none

module sequencer_check
  import xlic_isa_pkg::*;
#(
  parameter int POY         = 2,
  parameter int POX         = 8,
  parameter int INPUT_WORDS = 64,
  parameter int TAP_WORDS   = 16,
  parameter int CHANNELS    = 16
) (
  input wire logic         clk_i,
  input wire logic         rst_i,
  input wire logic         start_i,
  input wire logic [127:0] pass_i,
  input wire logic         fill_i,
  input wire logic [7:0]   weights_i,
  input wire logic         held_i,
  input wire logic         released_i
);
  localparam int IW = $clog2(INPUT_WORDS);
  localparam int CW = $clog2(CHANNELS);
  localparam int TW = $clog2(TAP_WORDS);
  localparam int DRAIN = 4;  // cycles from the last step of a pass to its release: the drain has 8

  // ---- what stays: the layer and the tables
  logic [15:0] pass_first, pass_count, tiles_y, tiles_x;
  logic [31:0] tap_table [TAP_WORDS];
  logic [1023:0] layer;
  always_ff @(posedge clk_i) begin
    {pass_first, pass_count, tiles_y, tiles_x} <= {pass_first, pass_count, tiles_y, tiles_x};
  end
  always_comb begin
    layer = '0;
    layer[LAYER_PASS_FIRST_LSB +: 16] = pass_first;
    layer[LAYER_PASS_COUNT_LSB +: 16] = pass_count;
    layer[LAYER_TILES_Y_LSB +: 16]    = tiles_y;
    layer[LAYER_TILES_X_LSB +: 16]    = tiles_x;
    assume (pass_count != 0 && tiles_y != 0 && tiles_x != 0);  // layer_checker refuses others
  end

  logic busy, pass_re, half_release, valid, first, last, gamma, read_half, drain_valid;
  logic wait_load, wait_weight, wait_store;
  logic [15:0] pass_addr, tap_addr;
  logic [IW-1:0] word;
  logic [1:0] dy, dx, half_full;
  logic [2:0] skew;
  logic [CW-1:0] channel;
  logic [23:0] weight_addr, loaded;
  logic [92:0] drain;
  sequencer #(
    .POY(POY), .POX(POX), .INPUT_WORDS(INPUT_WORDS), .CHANNELS(CHANNELS)
  ) dut (
    .clk_i, .rst_i, .start_i, .layer_i(layer), .busy_o(busy), .pass_re_o(pass_re),
    .pass_addr_o(pass_addr), .pass_i, .tap_addr_o(tap_addr),
    .tap_i(tap_table[tap_addr[TW-1:0]]), .half_full_i(half_full), .half_release_o(half_release),
    .weights_loaded_i(loaded), .held_i, .released_i, .valid_o(valid), .first_o(first),
    .last_o(last), .gamma_o(gamma), .word_o(word), .dy_o(dy), .dx_o(dx), .skew_o(skew),
    .channel_o(channel), .read_half_o(read_half), .weight_addr_o(weight_addr),
    .drain_valid_o(drain_valid), .drain_o(drain), .wait_load_o(wait_load),
    .wait_weight_o(wait_weight), .wait_store_o(wait_store)
  );

  // ---- the surroundings: windows are filled and released in turn, weights only grow
  logic started = 1'b0, fill_half, release_half, undrained, issued, ends;
  logic [16:0] holds;      // channels held since the phase began
  logic [3:0] draining;  // cycles since the last step of the pass that is to be drained
  always_ff @(posedge clk_i) begin
    started <= 1'b1;
    loaded  <= loaded + 24'(weights_i);
    if (fill_i && !half_full[fill_half]) begin
      half_full[fill_half] <= 1'b1;
      fill_half <= !fill_half;
    end
    if (half_release) begin
      half_full[release_half] <= 1'b0;
      release_half <= !release_half;
    end
    draining <= undrained && draining != '1 ? draining + 1'b1 : draining;
    if (released_i) undrained <= 1'b0;
    if (issued && ends) {undrained, draining} <= 5'b1_0000;
    if (rst_i) {loaded, half_full, fill_half, release_half, undrained} <= '0;
  end
  always_comb begin
    assume (rst_i == !started);
    if (start_i) assume (!busy && !rst_i && started);
    // No wrap: of the design's limits, and of the channels that pass_checker lets be held.
    assume (loaded < 24'hFFFF00 && holds < 17'hFFFF);
    if (released_i) assume (undrained && draining >= DRAIN);
  end

  // ---- passes fetched, the current one first
  typedef struct packed {
    logic [127:0] record;
    logic [19:0] grid_y, grid_x;
  } pass_t;
  pass_t current, following;
  logic [1:0] passes;
  logic fetched, over, push, pop;
  logic [15:0] p, tile_y, tile_x;  // of the next fetch
  assign push = fetched;
  assign pop  = issued && ends;
  always_ff @(posedge clk_i) begin
    fetched <= pass_re;
    passes  <= passes + 2'(push) - 2'(pop);
    if (pop) current <= following;
    if (push) begin
      if (passes - 2'(pop) == 0) current <= {pass_i, 20'(tile_y) * 20'(POY), 20'(tile_x) * 20'(POX)};
      else following <= {pass_i, 20'(tile_y) * 20'(POY), 20'(tile_x) * 20'(POX)};
      p <= p + 1'b1;
      if (p + 1'b1 == pass_count) begin
        p      <= '0;
        tile_x <= tile_x + 1'b1;
        if (tile_x + 1'b1 == tiles_x) begin
          tile_x <= '0;
          tile_y <= tile_y + 1'b1;
          over   <= tile_y + 1'b1 == tiles_y;
        end
      end
    end
    if (start_i) {p, tile_y, tile_x, over} <= '0;
    if (rst_i) {passes, fetched} <= '0;
  end
  // What pass_checker refuses: a pass without steps; a tile released by a pass that does not read it.
  function automatic logic runs(input logic [127:0] record);
    return record[PASS_COUNT_LSB +: 16] != 0
      && (record[PASS_GAMMA_LSB] ? !record[PASS_TILE_END_LSB]
                                 : record[PASS_TAP_COUNT_LSB +: 16] != 0);
  endfunction
  always_comb if (fetched) assume (runs(pass_i));

  // ---- the current pass: its steps
  logic is_gamma;
  logic [15:0] count, tap_first, tap_count, n_param, n_channel, t, c, at_word;
  logic [23:0] base, step;
  logic [2:0] to;
  logic [31:0] tap;
  assign count     = current.record[PASS_COUNT_LSB +: 16];
  assign is_gamma  = current.record[PASS_GAMMA_LSB];
  assign tap_first = current.record[PASS_TAP_FIRST_LSB +: 16];
  assign tap_count = is_gamma ? 16'd1 : current.record[PASS_TAP_COUNT_LSB +: 16];
  assign n_param   = current.record[PASS_PARAM_BASE_LSB +: 16];
  assign n_channel = current.record[PASS_CHANNEL_BASE_LSB +: 16];
  assign base      = current.record[PASS_WEIGHT_BASE_LSB +: 24];
  assign to        = current.record[PASS_DESTINATION_LSB +: 3];
  assign tap       = tap_table[TW'(tap_first + t)];
  assign at_word   = tap[TAP_OFFSET_LSB +: TAP_OFFSET_BITS] + c;
  assign issued    = dut.issue;
  assign ends      = t + 1'b1 == tap_count && c + 1'b1 == count;
  // What the step that is issued must look like a cycle later.
  logic want, want_first, want_last, want_gamma, want_half, want_full;
  logic [15:0] want_word, want_channel;
  logic [3:0] want_offset;
  logic [23:0] want_weight, want_loaded;
  logic [16:0] want_holds;
  logic [92:0] want_drain;
  logic [1:0] reads [2];           // halves that were read in the cycles before
  logic half;
  always_ff @(posedge clk_i) begin
    if (issued) begin
      step <= step + 1'b1;
      c    <= c + 1'b1;
      if (c + 1'b1 == count) begin
        c <= '0;
        t <= t + 1'b1;
      end
      if (ends) begin
        {c, t, step} <= '0;
        if (current.record[PASS_TILE_END_LSB]) half <= !half;
      end
    end
    want         <= issued;
    want_first   <= t == 0 && c == 0;
    want_last    <= ends;
    want_gamma   <= is_gamma;
    want_word    <= at_word;
    want_offset  <= {tap[TAP_DY_LSB +: 2], tap[TAP_DX_LSB +: 2]};
    want_channel <= c;
    want_weight  <= base + step;
    want_loaded  <= loaded;
    want_half    <= half;
    want_full    <= half_full[half];
    want_holds   <= holds;
    want_drain   <= {to, n_channel, n_param, current.record[PASS_EMIT_BEGIN_LSB],
                     current.record[PASS_EMIT_END_LSB], current.record[PASS_PHASE_Y_LSB +: 8],
                     current.record[PASS_PHASE_X_LSB +: 8], current.grid_y, current.grid_x};
    reads[0] <= '0;
    if (issued && !is_gamma) reads[0][half] <= 1'b1;
    reads[1] <= reads[0];
    if (issued && t == 0 && c == 0 && current.record[PASS_PHASE_BEGIN_LSB]) holds <= '0;
    else if (held_i) holds <= holds + 1'b1;
    if (rst_i) begin
      {want, half, holds, c, t, step} <= '0;
      reads[0] <= '0;
      reads[1] <= '0;
    end
  end

  // ---- cycles in which nothing is done and nothing waited for
  logic [3:0] quiet;
  logic was_busy, ended;
  assign ended = was_busy && !busy;
  always_ff @(posedge clk_i) begin
    was_busy <= busy && !rst_i;
    quiet <= !busy || issued || wait_load || wait_weight || wait_store ? '0 : quiet + 1'b1;
    if (rst_i) quiet <= '0;
  end

  always_comb if (started) begin
    // Passes.
    if (pass_re) fetch_exact: assert (busy && !over && pass_addr == 16'(pass_first + p));
    queue_bound: assert (passes <= 2);
    // Steps.
    steps_exact: assert (valid == want);
    if (valid) begin
      loop:    assert (first == want_first && last == want_last && gamma == want_gamma);
      weight:  assert (weight_addr == want_weight && weight_addr < want_loaded);
      operand: assert (skew == want_channel[2:0] && channel == want_channel[CW-1:0]);
      if (gamma) held: assert (17'(want_channel) < want_holds);
      else begin
        window:    assert (read_half == want_half && want_full && half_full[read_half]);
        tap_exact: assert (word == want_word[IW-1:0] && {dy, dx} == want_offset);
      end
    end
    drain_exact: assert (drain_valid == (want && want_last));
    if (drain_valid) drain_record: assert (drain == want_drain);
    if (issued && ends) one_undrained: assert (!undrained || released_i);
    if (half_release) released_full: assert (half_full[release_half]);
    if (half_release) released_read: assert (!reads[0][release_half] && !reads[1][release_half]);
    // The end, and the way there.
    if (!busy) idle_empty: assert (passes == 0 && !fetched && !pass_re);
    prompt: assert (quiet <= 3);
    if (ended) end_exact: assert (over && passes == 0);

    c_layer: cover (ended && tiles_x == 2 && pass_count == 2);
    c_gamma: cover (valid && gamma && last && want_channel == 1);
    c_taps: cover (valid && last && want_channel == 1 && want_weight == base + 3);
    c_tile: cover (half_release && release_half);
  end
  // ---- invariants
  always_comb if (started) begin
    i_count: assert (passes == 2'(dut.active) + 2'(dut.next_valid));
    i_fetching: assert (dut.fetching == fetched && !(fetched && dut.next_valid));
    if (busy) begin
      i_tiles: assert (dut.index == p && dut.tile_x == tile_x && dut.tile_y == tile_y
                       && dut.fetched_all == over);
      i_grid: assert (dut.fetch_grid_y == 20'(tile_y) * 20'(POY)
                      && dut.fetch_grid_x == 20'(tile_x) * 20'(POX));
      i_range: assert (p < pass_count && tile_x < tiles_x && (over || tile_y < tiles_y));
    end else i_idle: assert (!dut.active && !dut.next_valid && !fetched);
    if (over) i_over: assert (!fetched);
    if (dut.next_valid) begin
      i_next: assert ({dut.next, dut.next_grid_y, dut.next_grid_x}
                      == (dut.active ? following : current));
    end
    if (dut.active) begin
      i_loop: assert (dut.channel == c && dut.taps_left == 16'(tap_count - t) && t < tap_count
                      && c < count && dut.first == (t == 0 && c == 0));
      i_weight: assert (dut.weight == 24'(base + step));
      i_fields: assert (dut.count == count && dut.gamma == is_gamma && dut.to == to
                        && dut.channel_base == n_channel && dut.param_base == n_param);
      i_flags: assert (dut.phase_begin == current.record[PASS_PHASE_BEGIN_LSB]
                       && dut.tile_end == current.record[PASS_TILE_END_LSB]
                       && dut.emit_begin == current.record[PASS_EMIT_BEGIN_LSB]
                       && dut.emit_end == current.record[PASS_EMIT_END_LSB]
                       && dut.phase_y == current.record[PASS_PHASE_Y_LSB +: 8]
                       && dut.phase_x == current.record[PASS_PHASE_X_LSB +: 8]);
      i_grids: assert (dut.grid_y == current.grid_y && dut.grid_x == current.grid_x);
      if (!is_gamma) i_tap: assert (dut.tap_index == 16'(tap_first + t)
                                    && dut.word == at_word
                                    && dut.dy == tap[TAP_DY_LSB +: 2]
                                    && dut.dx == tap[TAP_DX_LSB +: 2]);
    end else i_start: assert (c == 0 && t == 0 && step == 0);
    if (passes != 0) i_current: assert (runs(current.record));
    if (passes == 2) i_following: assert (runs(following.record));
    i_quiet: assert (quiet <= (dut.active ? 3 : dut.next_valid ? 2 : 4'(fetched || !busy)));
    i_drain: assert (dut.undrained == undrained);
    i_holds: assert (dut.held == holds[15:0] && holds < 17'h10000);
    i_half: assert (dut.half == half);
    // A release is on its way for three cycles; the next one takes longer than that.
    i_release: assert ((release_half != half) == (dut.release_q != 0));
    if (dut.release_q != 0) i_full: assert (undrained && half_full[release_half]);
    if (dut.release_q[0]) i_release_0: assert (draining == 0 && dut.release_q[2:1] == 0);
    if (dut.release_q[1]) begin
      i_release_1: assert (draining == 1 && !dut.release_q[2] && !reads[0][release_half]);
    end
    if (dut.release_q[2]) i_release_2: assert (draining == 2);
  end
endmodule

`default_nettype wire
