// s_axi_control: start and end, interrupt, arguments, identity, status and counters, laid out as
// Vitis HLS lays out a function's (xlic/accelerator/isa.py).
`default_nettype none

module control_registers
  import xlic_isa_pkg::*;
#(
  parameter int          POF          = 16,
  parameter int          POY          = 4,
  parameter int          POX          = 16,
  parameter int          INPUT_WORDS  = 1024,
  parameter int          WEIGHT_WORDS = 57344,
  parameter int          PARAM_WORDS  = 1024,
  parameter int          PASS_WORDS   = 512,
  parameter int          TAP_WORDS    = 512,
  parameter int          CHANNELS     = 256,
  parameter logic [63:0] SOURCE_HASH  = '0
) (
  input  wire logic        clk_i,
  input  wire logic        rst_i,
  // Accesses.
  input  wire logic        write_i,
  input  wire logic [11:0] write_addr_i,
  input  wire logic [31:0] write_data_i,
  input  wire logic [3:0]  write_strb_i,
  input  wire logic        read_i,
  input  wire logic [11:0] read_addr_i,
  output logic [31:0]      read_data_o,
  // Control.
  output logic             start_o,
  input  wire logic        busy_i,
  input  wire logic        done_i,   // the end of a run is told
  input  wire logic        ready_i,  // the next start may come
  output logic             interrupt_o,
  // Arguments of the run, as they were at its start.
  output logic [63:0]      base0_o,
  output logic [63:0]      base1_o,
  output logic [31:0]      window_o,
  output logic [31:0]      program_o,
  // Status.
  input  wire logic [3:0]  error_i,
  input  wire logic [3:0]  error_layer_i,
  input  wire logic [3:0]  layers_done_i,
  input  wire logic [31:0] cycles_i,
  input  wire logic [63:0] identity_i,
  output logic [5:0]       counter_addr_o,
  input  wire logic [31:0] counter_i
);
  logic start, done, ready, restart, global_enable;
  logic [1:0] enable, status;  // bit 0: done, bit 1: ready
  logic [31:0] base0_low, base0_high, base1_low, base1_high, window, program_beat;
  logic [31:0] info, mask, merged, current;

  assign mask = {{8{write_strb_i[3]}}, {8{write_strb_i[2]}}, {8{write_strb_i[1]}},
                 {8{write_strb_i[0]}}};
  always_comb begin
    case (write_addr_i)
      REG_GMEM0_LOW:    current = base0_low;
      REG_GMEM0_HIGH:   current = base0_high;
      REG_GMEM1_LOW:    current = base1_low;
      REG_GMEM1_HIGH:   current = base1_high;
      REG_WINDOW_BEATS: current = window;
      default:          current = program_beat;
    endcase
  end
  assign merged = (write_data_i & mask) | (current & ~mask);

  assign start_o     = start && !busy_i && !ready_i;
  assign interrupt_o = global_enable && status != 0;

  always_ff @(posedge clk_i) begin
    if (start_o) begin
      start     <= 1'b0;
      // Windows begin at multiples of 4096 bytes.
      base0_o   <= {base0_high, base0_low[31:12], 12'b0};
      base1_o   <= {base1_high, base1_low[31:12], 12'b0};
      window_o  <= window;
      program_o <= program_beat;
    end
    if (read_i && read_addr_i == REG_CONTROL) begin
      done  <= 1'b0;
      ready <= 1'b0;
    end
    if (write_i) begin
      case (write_addr_i)
        REG_CONTROL: if (write_strb_i[0]) begin
          // As in Vitis HLS: ap_start is up until ap_ready, setting it again changes nothing.
          if (write_data_i[5'(CONTROL_START)] && !busy_i) start <= 1'b1;
          restart <= write_data_i[5'(CONTROL_AUTO_RESTART)];
        end
        REG_GLOBAL_INTERRUPT_ENABLE: if (write_strb_i[0]) global_enable <= write_data_i[0];
        REG_INTERRUPT_ENABLE:        if (write_strb_i[0]) enable <= write_data_i[1:0];
        REG_INTERRUPT_STATUS:        if (write_strb_i[0]) status <= status ^ write_data_i[1:0];
        REG_GMEM0_LOW:               base0_low    <= merged;
        REG_GMEM0_HIGH:              base0_high   <= merged;
        REG_GMEM1_LOW:               base1_low    <= merged;
        REG_GMEM1_HIGH:              base1_high   <= merged;
        REG_WINDOW_BEATS:            window       <= merged;
        REG_PROGRAM:                 program_beat <= merged;
        default: ;
      endcase
    end
    if (done_i) begin
      done <= 1'b1;
      if (enable[0]) status[0] <= 1'b1;
    end
    if (ready_i) begin
      ready <= 1'b1;
      if (enable[1]) status[1] <= 1'b1;
      if (restart) start <= 1'b1;
    end
    if (rst_i) begin
      start         <= 1'b0;
      done          <= 1'b0;
      ready         <= 1'b0;
      restart       <= 1'b0;
      global_enable <= 1'b0;
      enable        <= '0;
      status        <= '0;
      base0_low     <= '0;
      base0_high    <= '0;
      base1_low     <= '0;
      base1_high    <= '0;
      window        <= '0;
      program_beat  <= '0;
    end
  end

  assign counter_addr_o = read_addr_i[7:2];
  always_comb begin
    case (read_addr_i[6:2])
      INFO_MAGIC:        info = 32'(MAGIC);
      INFO_VERSION:      info = 32'(INTERFACE_VERSION);
      INFO_ARRAY:        info = 32'(POF | POY << 8 | POX << 16);
      INFO_HASH_LOW:     info = SOURCE_HASH[31:0];
      INFO_HASH_HIGH:    info = SOURCE_HASH[63:32];
      INFO_INPUT_WORDS:  info = 32'(INPUT_WORDS);
      INFO_WEIGHT_WORDS: info = 32'(WEIGHT_WORDS);
      INFO_PARAM_WORDS:  info = 32'(PARAM_WORDS);
      INFO_PASS_WORDS:   info = 32'(PASS_WORDS);
      INFO_TAP_WORDS:    info = 32'(TAP_WORDS);
      INFO_CHANNELS:     info = 32'(CHANNELS);
      INFO_LAYERS:       info = 32'(MAX_LAYERS);
      INFO_ERROR:        info = 32'(error_i);
      INFO_ERROR_LAYER:  info = 32'(error_layer_i);
      INFO_LAYERS_DONE:  info = 32'(layers_done_i);
      INFO_CYCLES:       info = cycles_i;
      INFO_PROGRAM_LOW:  info = identity_i[31:0];
      INFO_PROGRAM_HIGH: info = identity_i[63:32];
      default:           info = '0;
    endcase
  end
  always_comb begin
    read_data_o = '0;
    case (read_addr_i)
      REG_CONTROL: begin
        read_data_o[5'(CONTROL_START)]        = start || busy_i;
        read_data_o[5'(CONTROL_DONE)]         = done;
        read_data_o[5'(CONTROL_IDLE)]         = !start && !busy_i;
        read_data_o[5'(CONTROL_READY)]        = ready;
        read_data_o[5'(CONTROL_AUTO_RESTART)] = restart;
      end
      REG_GLOBAL_INTERRUPT_ENABLE: read_data_o = 32'(global_enable);
      REG_INTERRUPT_ENABLE:        read_data_o = 32'(enable);
      REG_INTERRUPT_STATUS:        read_data_o = 32'(status);
      REG_GMEM0_LOW:               read_data_o = base0_low;
      REG_GMEM0_HIGH:              read_data_o = base0_high;
      REG_GMEM1_LOW:               read_data_o = base1_low;
      REG_GMEM1_HIGH:              read_data_o = base1_high;
      REG_WINDOW_BEATS:            read_data_o = window;
      REG_PROGRAM:                 read_data_o = program_beat;
      default: begin
        if (read_addr_i[11:7] == REG_INFO[11:7]) read_data_o = info;
        else if (read_addr_i[11:8] == REG_COUNTERS[11:8]) read_data_o = counter_i;
      end
    endcase
  end
endmodule

`default_nettype wire
