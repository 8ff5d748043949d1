// Runs a program: waits for its tables, then one layer after the other; checks each descriptor;
// keeps the counters; on an error stops everything, lets the memory ports come to rest and ends. If
// memory does not answer for 2^WATCHDOG cycles the end is told (done_o), but it stays busy until the
// ports are at rest (ready_o).
`default_nettype none

module run_control
  import xlic_isa_pkg::*;
#(
  parameter int POY         = 4,
  parameter int POX         = 16,
  parameter int INPUT_WORDS = 1024,
  parameter int CHANNELS    = 256,
  parameter int WATCHDOG    = 18
) (
  input  wire logic          clk_i,
  input  wire logic          rst_i,
  input  wire logic          start_i,
  output logic               busy_o,
  output logic               done_o,         // one cycle: the end is told
  output logic               ready_o,        // one cycle: the next start may come
  output logic               unit_rst_o,     // everything but the memory ports
  output logic               unit_start_o,   // the program loader's start
  output logic               flush_o,        // memory ports: come to rest and stay there
  input  wire logic          ports_idle_i,
  input  wire logic          progress_i,     // something moved
  input  wire logic [31:0]   window_i,       // beats
  // Program loader.
  input  wire logic          tables_ok_i,
  input  wire logic          loaded_i,
  input  wire logic [31:0]   layers_i,
  input  wire logic [31:0]   passes_i,
  input  wire logic [31:0]   params_i,
  // Layer table: written a beat at a time, read into layer_o.
  input  wire logic          layer_we_i,
  input  wire logic [5:0]    layer_waddr_i,
  input  wire logic [127:0]  layer_wdata_i,
  output logic [1023:0]      layer_o,
  output logic               layer_start_o,
  input  wire logic          layer_idle_i,   // nothing of the layer is under way
  // Errors, by source.
  input  wire logic          loader_error_i,
  input  wire logic [3:0]    loader_code_i,
  input  wire logic          pass_error_i,
  input  wire logic          window_error_i,
  input  wire logic          read_error_i,
  input  wire logic          write_error_i,
  // What to count.
  input  wire logic          active_i,
  input  wire logic          wait_load_i,
  input  wire logic          wait_weight_i,
  input  wire logic          wait_store_i,
  input  wire logic [5:0]    conv_saturations_i,
  input  wire logic [5:0]    activation_saturations_i,
  input  wire logic          input_saturation_i,
  // Results.
  output logic [3:0]         error_o,
  output logic [3:0]         error_layer_o,
  output logic [3:0]         layers_done_o,
  output logic [31:0]        cycles_o,
  input  wire logic [5:0]    counter_addr_i,  // layer * 8 + counter
  output logic [31:0]        counter_o
);
  typedef enum logic [3:0] {
    IDLE, RESET, LOAD, FETCH, CHECK, VERDICT, BEGIN_LAYER, LAYER, END_LAYER, FINISH, ABORT, REST
  } state_e;
  state_e state;
  logic [3:0] layer;
  logic [3:0] fetch_beat;
  logic [127:0] layers [MAX_LAYERS * LAYER_BEATS];
  logic descriptor_bad, tables_left, window_left, error_now, running, told;
  logic [3:0] code_now;
  logic [31:0] counters [MAX_LAYERS * COUNTER_WORDS];
  logic [31:0] count [COUNTER_WORDS];
  logic [WATCHDOG:0] quiet;  // cycles without progress
  logic [3:0] settle, write_index;

  assign unit_start_o  = state == RESET && settle == 4'd1;
  assign unit_rst_o    = rst_i || state == IDLE || (state == RESET && settle != 4'd1)
                       || state == ABORT || state == REST;
  assign flush_o       = !running;
  assign busy_o        = state != IDLE;
  assign layer_start_o = state == BEGIN_LAYER;

  // ---- the descriptor's limits
  logic [15:0] rows, cols, in_blocks, phase_words, slot_words, pass_first, pass_count, in_params;
  logic [15:0] out_channels, block_words;
  logic [7:0] stride;
  logic [1:0] in_format;
  logic [19:0] span_y, span_x;
  logic [15:0] pairs;
  logic [31:0] pair_words;
  logic zero, second_slot;
  assign rows         = layer_o[LAYER_ROWS_LSB +: LAYER_ROWS_BITS];
  assign cols         = layer_o[LAYER_COLS_LSB +: LAYER_COLS_BITS];
  assign in_blocks    = layer_o[LAYER_IN_BLOCKS_LSB +: LAYER_IN_BLOCKS_BITS];
  assign phase_words  = layer_o[LAYER_PHASE_WORDS_LSB +: LAYER_PHASE_WORDS_BITS];
  assign slot_words   = layer_o[LAYER_SLOT_WORDS_LSB +: LAYER_SLOT_WORDS_BITS];
  assign pass_first   = layer_o[LAYER_PASS_FIRST_LSB +: LAYER_PASS_FIRST_BITS];
  assign pass_count   = layer_o[LAYER_PASS_COUNT_LSB +: LAYER_PASS_COUNT_BITS];
  assign in_params    = layer_o[LAYER_IN_PARAMS_LSB +: LAYER_IN_PARAMS_BITS];
  assign out_channels = layer_o[LAYER_OUT_CHANNELS_LSB +: LAYER_OUT_CHANNELS_BITS];
  assign stride       = layer_o[LAYER_STRIDE_LSB +: LAYER_STRIDE_BITS];
  assign in_format    = layer_o[LAYER_IN_FORMAT_LSB +: LAYER_IN_FORMAT_BITS];
  assign zero = layer_o[LAYER_IN_HEIGHT_LSB +: LAYER_IN_HEIGHT_BITS] == 0
             || layer_o[LAYER_IN_WIDTH_LSB +: LAYER_IN_WIDTH_BITS] == 0
             || rows == 0 || cols == 0 || stride == 0 || in_blocks == 0 || phase_words == 0
             || slot_words == 0 || pass_count == 0 || out_channels == 0
             || layer_o[LAYER_ROW_STEP_LSB +: LAYER_ROW_STEP_BITS] == 0
             || layer_o[LAYER_COL_STEP_LSB +: LAYER_COL_STEP_BITS] == 0
             || layer_o[LAYER_TILES_Y_LSB +: LAYER_TILES_Y_BITS] == 0
             || layer_o[LAYER_TILES_X_LSB +: LAYER_TILES_X_BITS] == 0
             || layer_o[LAYER_OUT_HEIGHT_LSB +: LAYER_OUT_HEIGHT_BITS] == 0
             || layer_o[LAYER_OUT_WIDTH_LSB +: LAYER_OUT_WIDTH_BITS] == 0
             || layer_o[LAYER_OUT_RUN_LSB +: LAYER_OUT_RUN_BITS] == 0
             || layer_o[LAYER_SUBROWS_LSB +: LAYER_SUBROWS_BITS] == 0
             || layer_o[LAYER_ROW_MUL_LSB +: LAYER_ROW_MUL_BITS] == 0
             || layer_o[LAYER_COL_MUL_LSB +: LAYER_COL_MUL_BITS] == 0;
  always_comb begin
    case (in_format)
      IN_I16:  block_words = in_blocks << 3;
      IN_S32:  block_words = in_blocks << 2;
      default: block_words = 16'd8;
    endcase
  end
  always_ff @(posedge clk_i) begin
    pairs       <= 16'(stride) * 16'(stride);
    pair_words  <= 32'(pairs) * 32'(phase_words);
    span_y      <= 20'(stride) * 20'(POY);
    span_x      <= 20'(stride) * 20'(POX + 2);
    second_slot <= 20'(rows) > span_y;
    // Settled by the end of CHECK, read in VERDICT.
    descriptor_bad <= zero || in_format == 2'd3 || phase_words[2:0] != 0
      || 20'(rows) > 2 * span_y || 20'(cols) > span_x
      || block_words > phase_words || in_blocks > 16'(INPUT_WORDS)
      || (in_format == IN_U8 && in_blocks != 16'd1)
      || 32'(slot_words) < pair_words
      || (second_slot ? 17'(slot_words) << 1 : 17'(slot_words)) > 17'(INPUT_WORDS)
      || out_channels > 16'(CHANNELS);
    tables_left <= 32'(pass_first) + 32'(pass_count) > passes_i
      || (in_format == IN_S32 && 32'(in_params) + 32'(block_words) > params_i);
  end

  // Where the maps end. The products are taken once per layer; the burst splitters check each burst
  // all the same.
  logic [19:0] in_height, in_width, out_height, out_width;
  logic [31:0] in_offset, in_row_pitch, out_offset, out_row_pitch;
  logic [15:0] out_px_pitch, out_run;
  logic [51:0] in_rows, out_rows;
  logic [35:0] in_row, out_row;
  logic [53:0] in_end, out_end;
  assign in_offset     = layer_o[LAYER_IN_OFFSET_LSB +: LAYER_IN_OFFSET_BITS];
  assign in_row_pitch  = layer_o[LAYER_IN_ROW_PITCH_LSB +: LAYER_IN_ROW_PITCH_BITS];
  assign in_height     = layer_o[LAYER_IN_HEIGHT_LSB +: LAYER_IN_HEIGHT_BITS];
  assign in_width      = layer_o[LAYER_IN_WIDTH_LSB +: LAYER_IN_WIDTH_BITS];
  assign out_offset    = layer_o[LAYER_OUT_OFFSET_LSB +: LAYER_OUT_OFFSET_BITS];
  assign out_row_pitch = layer_o[LAYER_OUT_ROW_PITCH_LSB +: LAYER_OUT_ROW_PITCH_BITS];
  assign out_height    = layer_o[LAYER_OUT_HEIGHT_LSB +: LAYER_OUT_HEIGHT_BITS];
  assign out_width     = layer_o[LAYER_OUT_WIDTH_LSB +: LAYER_OUT_WIDTH_BITS];
  assign out_px_pitch  = layer_o[LAYER_OUT_PX_PITCH_LSB +: LAYER_OUT_PX_PITCH_BITS];
  assign out_run       = layer_o[LAYER_OUT_RUN_LSB +: LAYER_OUT_RUN_BITS];
  always_ff @(posedge clk_i) begin
    in_rows     <= 52'(in_height - 1'b1) * 52'(in_row_pitch);
    in_row      <= in_format == IN_U8 ? (36'(in_width) + 36'd3) >> 2
                                      : 36'(in_width) * 36'(in_blocks);
    out_rows    <= 52'(out_height - 1'b1) * 52'(out_row_pitch);
    out_row     <= 36'(out_width - 1'b1) * 36'(out_px_pitch);
    in_end      <= 54'(in_rows) + 54'(in_offset) + 54'(in_row);
    out_end     <= 54'(out_rows) + 54'(out_offset) + 54'(out_row) + 54'(out_run);
    window_left <= in_end > 54'(window_i) || out_end > 54'(window_i);
  end

  // ---- errors: the first one counts
  assign running = state != IDLE && state != ABORT && state != REST && state != RESET;
  always_comb begin
    error_now = 1'b1;
    if (loader_error_i) code_now = loader_code_i;
    else if (window_error_i) code_now = ERR_WINDOW;
    else if (read_error_i) code_now = ERR_READ;
    else if (write_error_i) code_now = ERR_WRITE;
    else if (pass_error_i) code_now = ERR_PASS;
    else if (state == VERDICT && descriptor_bad) code_now = ERR_LAYER;
    else if (state == VERDICT && window_left) code_now = ERR_WINDOW;
    else if (state == VERDICT && tables_left) code_now = ERR_PASS;
    else if (quiet[WATCHDOG]) code_now = ERR_STALL;
    else begin
      code_now  = ERR_NONE;
      error_now = 1'b0;
    end
  end

  always_ff @(posedge clk_i) begin
    done_o  <= 1'b0;
    ready_o <= 1'b0;
    quiet   <= progress_i || !busy_o || quiet[WATCHDOG] || layer_start_o ? '0 : quiet + 1'b1;
    if (busy_o && !told) cycles_o <= cycles_o + 1'b1;
    settle <= settle + 1'b1;
    case (state)
      IDLE: if (start_i) begin
        state         <= RESET;
        settle        <= '0;
        error_o       <= ERR_NONE;
        error_layer_o <= '0;
        layers_done_o <= '0;
        cycles_o      <= 32'd1;
        layer         <= '0;
        told          <= 1'b0;
      end
      RESET: if (settle == 4'd1) state <= LOAD;
      LOAD: if (tables_ok_i) begin
        state      <= FETCH;
        fetch_beat <= '0;
      end
      FETCH: begin
        fetch_beat <= fetch_beat + 1'b1;
        layer_o    <= {layers[{layer[2:0], fetch_beat[2:0]}], layer_o[1023:128]};
        if (fetch_beat == 4'd7) begin
          state  <= CHECK;
          settle <= '0;
        end
      end
      CHECK: if (settle == 4'd7) state <= VERDICT;
      VERDICT: state <= BEGIN_LAYER;
      BEGIN_LAYER: begin
        state  <= LAYER;
        settle <= '0;
      end
      // The units need a few cycles to show that they are at work.
      LAYER: if (settle[3] || !layer_idle_i) begin
        settle <= layer_idle_i ? 4'd8 : 4'd0;
        if (settle[3] && layer_idle_i) begin
          state       <= END_LAYER;
          write_index <= '0;
        end
      end
      END_LAYER: begin
        write_index <= write_index + 1'b1;
        if (write_index == 4'd7) begin
          layers_done_o <= layers_done_o + 1'b1;
          layer         <= layer + 1'b1;
          fetch_beat    <= '0;
          state         <= 32'(layer) + 1 == layers_i ? FINISH : FETCH;
        end
      end
      FINISH: if (loaded_i && ports_idle_i) begin
        state   <= IDLE;
        done_o  <= 1'b1;
        ready_o <= 1'b1;
      end
      // Memory that never answers must not keep the error back, but the next run has to wait.
      ABORT: if (ports_idle_i) begin
        state <= REST;
      end else if (quiet[WATCHDOG]) begin
        done_o <= !told;
        told   <= 1'b1;
      end
      default: begin  // REST
        state   <= IDLE;
        done_o  <= !told;
        ready_o <= 1'b1;
      end
    endcase
    if (running && error_now) begin
      state         <= ABORT;
      done_o        <= 1'b0;
      ready_o       <= 1'b0;
      error_o       <= code_now;
      error_layer_o <= layer;
    end
    if (rst_i) begin
      state   <= IDLE;
      error_o       <= ERR_NONE;
      error_layer_o <= '0;
      layers_done_o <= '0;
      cycles_o      <= '0;
      done_o  <= 1'b0;
      ready_o <= 1'b0;
      told    <= 1'b0;
      quiet   <= '0;
    end
  end

  always_ff @(posedge clk_i) begin
    if (layer_we_i) layers[layer_waddr_i] <= layer_wdata_i;
  end

  // ---- counters of the layer, written out one a cycle at its end
  always_ff @(posedge clk_i) begin
    count[COUNTER_CYCLES] <= count[COUNTER_CYCLES] + 1'b1;
    if (active_i) count[COUNTER_ACTIVE] <= count[COUNTER_ACTIVE] + 1'b1;
    if (wait_load_i) count[COUNTER_LOAD_WAIT] <= count[COUNTER_LOAD_WAIT] + 1'b1;
    if (wait_weight_i) count[COUNTER_WEIGHT_WAIT] <= count[COUNTER_WEIGHT_WAIT] + 1'b1;
    if (wait_store_i) count[COUNTER_STORE_WAIT] <= count[COUNTER_STORE_WAIT] + 1'b1;
    count[COUNTER_CONV_SATURATIONS] <= count[COUNTER_CONV_SATURATIONS] + 32'(conv_saturations_i);
    count[COUNTER_ACTIVATION_SATURATIONS] <=
      count[COUNTER_ACTIVATION_SATURATIONS] + 32'(activation_saturations_i);
    if (input_saturation_i) begin
      count[COUNTER_INPUT_SATURATIONS] <= count[COUNTER_INPUT_SATURATIONS] + 1'b1;
    end
    if (state == IDLE || (state == END_LAYER && write_index == 4'd7)) begin
      for (int i = 0; i < COUNTER_WORDS; i++) count[i] <= '0;
      // The cycles of this writing belong to the next layer.
      if (state == END_LAYER) count[COUNTER_CYCLES] <= 32'd8;
    end
    if (state == END_LAYER) begin
      counters[{layer[2:0], write_index[2:0]}] <= count[write_index[2:0]];
    end
    counter_o <= counters[counter_addr_i];
  end
endmodule

`default_nettype wire
