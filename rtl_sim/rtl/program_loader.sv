// Reads a program through AXI port 1: checks the header, fills the tables, then streams the weights.
// The tables are complete and their CRC is right when tables_ok_o rises; weights go on arriving while
// the layers run. done_o: everything has been read and both CRCs are right. One beat per cycle.
`default_nettype none

module program_loader
  import xlic_isa_pkg::*;
#(
  parameter int POF          = 16,
  parameter int POY          = 4,
  parameter int POX          = 16,
  parameter int WEIGHT_WORDS = 57344,
  parameter int PARAM_WORDS  = 1024,
  parameter int PASS_WORDS   = 512,
  parameter int TAP_WORDS    = 512
) (
  input  wire logic         clk_i,
  input  wire logic         rst_i,
  input  wire logic         start_i,
  input  wire logic [31:0]  program_i,  // offset in beats
  input  wire logic [31:0]  window_i,   // beats

  output logic              req_valid_o,
  input  wire logic         req_ready_i,
  output logic [31:0]       req_offset_o,
  output logic [31:0]       req_beats_o,
  input  wire logic         data_valid_i,
  output logic              data_ready_o,
  input  wire logic [127:0] data_i,

  // Writes of tables, all with data_i's beat of the cycle before.
  output logic [127:0]      table_data_o,
  output logic [15:0]       table_addr_o,  // beat within the table
  output logic              layer_we_o,
  output logic              pass_we_o,
  output logic              tap_we_o,
  output logic              param_we_o,
  output logic              weight_we_o,

  output logic [31:0]       layers_o,
  output logic [31:0]       passes_o,
  output logic [31:0]       taps_o,
  output logic [31:0]       params_o,
  output logic [31:0]       weight_words_o,
  output logic [63:0]       identity_o,
  output logic [33:0]       end_o,      // beat behind the last
  output logic              tables_ok_o,
  output logic              done_o,
  output logic              error_o,  // one cycle
  output logic [3:0]        error_code_o
);
  localparam logic [31:0] ARRAY = 32'(POF | POY << 8 | POX << 16);

  typedef enum logic [3:0] {
    IDLE, HEADER_REQUEST, HEADER, HEADER_CHECK, SIZES, TABLES_REQUEST, TABLES, TABLES_CHECK,
    WEIGHTS_REQUEST, WEIGHTS, WEIGHTS_CHECK, DONE
  } state_e;
  state_e state;

  logic [1:0] section;  // of the tables: layers, passes, taps, params
  logic [1:0] header_beat;
  logic [31:0] magic, version, array, tables_crc, weights_crc, crc;
  logic [31:0] section_beats, beat, tables_beats, weight_beats, cursor;
  logic take, crc_clear, crc_valid, last_in_section, capacity_bad;

  assign take = data_valid_i && data_ready_o;
  assign data_ready_o = state == HEADER || state == TABLES || state == WEIGHTS;
  assign crc_clear = state == HEADER_REQUEST || state == WEIGHTS_REQUEST;
  assign crc_valid = take && !(state == HEADER && header_beat == 2'd3);
  crc32 u_crc (.clk_i, .clear_i(crc_clear), .valid_i(crc_valid), .data_i, .crc_o(crc));

  always_comb begin
    case (section)
      2'd0:    section_beats = layers_o << 3;
      2'd1:    section_beats = passes_o;
      2'd2:    section_beats = (taps_o + 32'd3) >> 2;
      default: section_beats = (params_o + 32'd1) >> 1;
    endcase
  end
  assign last_in_section = beat + 1'b1 == section_beats;
  assign capacity_bad = layers_o == 0 || layers_o > 32'(MAX_LAYERS)
                     || passes_o == 0 || passes_o > 32'(PASS_WORDS)
                     || taps_o == 0 || taps_o > 32'(TAP_WORDS)
                     || params_o == 0 || params_o > 32'(PARAM_WORDS)
                     || weight_words_o == 0 || weight_words_o > 32'(WEIGHT_WORDS);

  assign req_valid_o = state == HEADER_REQUEST || state == TABLES_REQUEST || state == WEIGHTS_REQUEST;
  assign req_offset_o = cursor;
  always_comb begin
    case (state)
      HEADER_REQUEST: req_beats_o = 32'(HEADER_BEATS);
      TABLES_REQUEST: req_beats_o = tables_beats;
      default:        req_beats_o = weight_beats;
    endcase
  end

  always_ff @(posedge clk_i) begin
    error_o     <= 1'b0;
    layer_we_o  <= 1'b0;
    pass_we_o   <= 1'b0;
    tap_we_o    <= 1'b0;
    param_we_o  <= 1'b0;
    weight_we_o <= 1'b0;
    end_o <= 34'(program_i) + 34'(HEADER_BEATS) + 34'(tables_beats) + 34'(weight_beats);
    if (take) begin
      table_data_o <= data_i;
      table_addr_o <= beat[15:0];
    end

    case (state)
      IDLE: if (start_i) begin
        state  <= HEADER_REQUEST;
        cursor <= program_i;
      end
      HEADER_REQUEST: if (req_ready_i) begin
        state       <= HEADER;
        header_beat <= '0;
        cursor      <= cursor + 32'(HEADER_BEATS);
      end
      HEADER: if (take) begin
        header_beat <= header_beat + 1'b1;
        case (header_beat)
          2'd0: begin
            magic    <= data_i[31:0];
            version  <= data_i[63:32];
            array    <= data_i[95:64];
            layers_o <= data_i[127:96];
          end
          2'd1: begin
            passes_o       <= data_i[31:0];
            taps_o         <= data_i[63:32];
            params_o       <= data_i[95:64];
            weight_words_o <= data_i[127:96];
          end
          2'd2: identity_o <= data_i[63:0];
          default: begin
            tables_crc  <= data_i[31:0];
            weights_crc <= data_i[63:32];
            state       <= HEADER_CHECK;
          end
        endcase
      end
      HEADER_CHECK: begin
        state <= SIZES;
        if (magic != 32'(MAGIC) || version != 32'(INTERFACE_VERSION) || array != ARRAY
            || capacity_bad) begin
          error_o      <= 1'b1;
          error_code_o <= magic != 32'(MAGIC) ? ERR_MAGIC
                        : version != 32'(INTERFACE_VERSION) ? ERR_VERSION
                        : array != ARRAY ? ERR_DESIGN : ERR_CAPACITY;
          state        <= IDLE;
        end
      end
      SIZES: begin
        tables_beats <= (layers_o << 3) + passes_o + ((taps_o + 32'd3) >> 2)
                      + ((params_o + 32'd1) >> 1);
        weight_beats <= (weight_words_o * 32'(POF / 4) + 32'd1) >> 1;
        section      <= '0;
        beat         <= '0;
        state        <= TABLES_REQUEST;
      end
      TABLES_REQUEST: if (req_ready_i) begin
        state  <= TABLES;
        cursor <= cursor + tables_beats;
      end
      TABLES: if (take) begin
        layer_we_o <= section == 2'd0;
        pass_we_o  <= section == 2'd1;
        tap_we_o   <= section == 2'd2;
        param_we_o <= section == 2'd3;
        beat       <= beat + 1'b1;
        if (last_in_section) begin
          beat    <= '0;
          section <= section + 1'b1;
          if (section == 2'd3) state <= TABLES_CHECK;
        end
        // Before anything else is found wrong with it.
        if (end_o > 34'(window_i)) begin
          error_o      <= 1'b1;
          error_code_o <= ERR_WINDOW;
          state        <= IDLE;
        end
      end
      TABLES_CHECK: begin
        state       <= WEIGHTS_REQUEST;
        tables_ok_o <= 1'b1;
        if (crc != tables_crc) begin
          tables_ok_o  <= 1'b0;
          error_o      <= 1'b1;
          error_code_o <= ERR_TABLES_CRC;
          state        <= IDLE;
        end
      end
      WEIGHTS_REQUEST: if (req_ready_i) state <= WEIGHTS;
      WEIGHTS: if (take) begin
        weight_we_o <= 1'b1;
        beat        <= beat + 1'b1;
        if (beat + 1'b1 == weight_beats) state <= WEIGHTS_CHECK;
      end
      WEIGHTS_CHECK: begin
        state  <= DONE;
        done_o <= 1'b1;
        if (crc != weights_crc) begin
          done_o       <= 1'b0;
          error_o      <= 1'b1;
          error_code_o <= ERR_WEIGHTS_CRC;
          state        <= IDLE;
        end
      end
      default: ;  // DONE: until the next reset
    endcase

    if (rst_i) begin
      state       <= IDLE;
      tables_ok_o <= 1'b0;
      done_o      <= 1'b0;
      error_o     <= 1'b0;
      layer_we_o  <= 1'b0;
      pass_we_o   <= 1'b0;
      tap_we_o    <= 1'b0;
      param_we_o  <= 1'b0;
      weight_we_o <= 1'b0;
    end
  end
endmodule

`default_nettype wire
