// Runs a program: waits for its tables, then one layer after the other, each once its descriptor is
// judged; keeps the counters; on an error stops everything, lets the memory ports come to rest and
// ends. If memory does not answer for 2^WATCHDOG cycles the end is told (done_o), but it stays busy
// until the ports are at rest (ready_o).
`default_nettype none

module run_control
  import xlic_isa_pkg::*;
#(
  parameter int WATCHDOG = 18
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
  // Program loader.
  input  wire logic          tables_ok_i,
  input  wire logic          loaded_i,
  input  wire logic [31:0]   layers_i,
  // Layer table: written a beat at a time, read into layer_o.
  input  wire logic          layer_we_i,
  input  wire logic [5:0]    layer_waddr_i,
  input  wire logic [127:0]  layer_wdata_i,
  output logic [1023:0]      layer_o,
  output logic               layer_start_o,
  input  wire logic          layer_idle_i,   // nothing of the layer is under way
  // What is wrong with layer_o, settled by the end of CHECK.
  input  wire logic          layer_bad_i,
  input  wire logic          layer_outside_i,
  input  wire logic          layer_tables_i,
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
  logic error_now, running, refused, told;
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

  // ---- errors: the first one counts; a layer is refused once the weights are known to be right
  assign running = state != IDLE && state != ABORT && state != REST && state != RESET;
  assign refused = state == VERDICT && (layer_bad_i || layer_outside_i || layer_tables_i);
  always_comb begin
    error_now = 1'b1;
    if (loader_error_i) code_now = loader_code_i;
    else if (window_error_i) code_now = ERR_WINDOW;
    else if (read_error_i) code_now = ERR_READ;
    else if (write_error_i) code_now = ERR_WRITE;
    else if (loaded_i && pass_error_i) code_now = ERR_PASS;
    else if (loaded_i && refused && layer_bad_i) code_now = ERR_LAYER;
    else if (loaded_i && refused && layer_outside_i) code_now = ERR_WINDOW;
    else if (loaded_i && refused) code_now = ERR_PASS;
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
      VERDICT: if (!refused) state <= BEGIN_LAYER;
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
      error_layer_o <= loader_error_i ? '0 : layer;
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
