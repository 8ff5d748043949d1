// Stores a filled half of the output buffer: for each row, subrow and position that lies within the
// output, a run of beats. Requests and data go to the writer side by side. Throughput one beat (16-bit
// channels) or half a beat (bytes) per cycle.
`default_nettype none

module store
  import xlic_isa_pkg::*;
#(
  parameter int POY      = 4,
  parameter int POX      = 16,
  parameter int CHANNELS = 256
) (
  input  wire logic                        clk_i,
  input  wire logic                        rst_i,
  input  wire logic [1023:0]               layer_i,
  // What to store, in the order in which the halves were taken; may come before they are complete.
  input  wire logic                        emit_valid_i,
  input  wire logic [55:0]                 emit_i,
  input  wire logic                        half_done_i,   // one more half is complete (pulse)
  output logic                             half_freed_o,  // one more half has been read (pulse)
  input  wire logic                        wait_i,        // begin with no half
  output logic                             idle_o,
  // Output buffer.
  output logic                             re_o,
  output logic                             half_o,
  output logic [$clog2(CHANNELS)-4:0]      group_o,
  output logic [$clog2(POY)-1:0]           row_o,
  output logic [$clog2(POX)-1:0]           position_o,
  input  wire logic [127:0]                data_i,        // 3 cycles after re_o
  // Writer.
  output logic                             req_valid_o,
  input  wire logic                        req_ready_i,
  output logic [31:0]                      req_offset_o,
  output logic [31:0]                      req_beats_o,
  output logic                             beat_valid_o,
  input  wire logic                        beat_ready_i,
  output logic [127:0]                     beat_o
);
  localparam int RW = $clog2(POY);
  localparam int GW = $clog2(CHANNELS) - 3;

  logic [31:0] out_offset, out_row_pitch;
  logic [19:0] out_height, out_width;
  logic [15:0] out_px_pitch, out_run, out_channels;
  logic [7:0] row_mul, col_mul, subrows, out_lead;
  logic out_u8, out_merge;
  assign out_offset    = layer_i[LAYER_OUT_OFFSET_LSB +: LAYER_OUT_OFFSET_BITS];
  assign out_row_pitch = layer_i[LAYER_OUT_ROW_PITCH_LSB +: LAYER_OUT_ROW_PITCH_BITS];
  assign out_height    = layer_i[LAYER_OUT_HEIGHT_LSB +: LAYER_OUT_HEIGHT_BITS];
  assign out_width     = layer_i[LAYER_OUT_WIDTH_LSB +: LAYER_OUT_WIDTH_BITS];
  assign out_px_pitch  = layer_i[LAYER_OUT_PX_PITCH_LSB +: LAYER_OUT_PX_PITCH_BITS];
  assign out_run       = layer_i[LAYER_OUT_RUN_LSB +: LAYER_OUT_RUN_BITS];
  assign out_channels  = layer_i[LAYER_OUT_CHANNELS_LSB +: LAYER_OUT_CHANNELS_BITS];
  assign row_mul       = layer_i[LAYER_ROW_MUL_LSB +: LAYER_ROW_MUL_BITS];
  assign col_mul       = layer_i[LAYER_COL_MUL_LSB +: LAYER_COL_MUL_BITS];
  assign subrows       = layer_i[LAYER_SUBROWS_LSB +: LAYER_SUBROWS_BITS];
  assign out_lead      = layer_i[LAYER_OUT_LEAD_LSB +: LAYER_OUT_LEAD_BITS];
  assign out_u8        = layer_i[LAYER_OUT_U8_LSB];
  assign out_merge     = layer_i[LAYER_OUT_MERGE_LSB];

  // ---- what to store
  logic emit_valid, emit_pop;
  logic [55:0] emit;
  logic [1:0] complete;  // halves that may be read
  fifo #(.WIDTH(56), .DEPTH(4)) u_emits (
    .clk_i, .rst_i, .valid_i(emit_valid_i), .ready_o(), .data_i(emit_i),
    .valid_o(emit_valid), .ready_i(emit_pop), .data_o(emit)
  );

  // ---- rows: address and columns of one subrow, handed to the requests and to the data
  typedef enum logic [2:0] {WAIT, BASE, ROW, PRODUCT, ADDRESS, HAND, DRAIN} state_e;
  state_e state;
  logic half;
  logic signed [21:0] base_y, base_x, y;
  logic [RW-1:0] oy;
  logic [7:0] subrow;
  logic [POX-1:0] col_ok;
  logic [31:0] row_product, x_product, row_address;
  logic [15:0] merged_run;
  logic [4:0] columns, columns_q;
  logic row_inside, last_subrow, hand, requests_free, data_free;
  axis_mask #(.COUNT(POX)) u_cols (
    .base_i(base_x), .step_i(col_mul), .limit_i(out_width), .ok_o(col_ok));
  assign row_inside  = $unsigned(y) < {2'b0, out_height};
  assign last_subrow = subrow + 1'b1 == subrows;
  assign emit_pop    = state == WAIT && emit_valid && complete != 0 && !wait_i;
  assign hand        = state == HAND && requests_free && data_free;
  assign half_freed_o = state == DRAIN && data_free;

  always_ff @(posedge clk_i) begin
    complete <= complete + 2'(half_done_i) - 2'(emit_pop);
    case (state)
      WAIT: if (emit_pop) begin
        state  <= BASE;
        base_y <= 22'(emit[55:36]) * 22'(row_mul) + 22'(emit[15:8]) - 22'(out_lead);
        base_x <= 22'(emit[35:16]) * 22'(col_mul) + 22'(emit[7:0]) - 22'(out_lead);
        oy     <= '0;
        subrow <= '0;
      end
      BASE: state <= ROW;
      ROW: begin
        state <= PRODUCT;
        y     <= base_y + 22'(oy) * 22'(row_mul) + 22'(subrow);
      end
      PRODUCT: begin
        state       <= ADDRESS;
        columns_q   <= columns;
        row_product <= 32'($unsigned(y)) * out_row_pitch;
        x_product   <= 32'(base_x) * 32'(out_px_pitch);
      end
      ADDRESS: begin
        state       <= HAND;
        merged_run  <= out_run * 16'(columns_q);
        row_address <= out_offset + row_product + x_product;
      end
      HAND: if (hand || !row_inside) begin
        state  <= ROW;
        subrow <= subrow + 1'b1;
        if (last_subrow) begin
          subrow <= '0;
          oy     <= oy + 1'b1;
          if (oy == (RW)'(POY - 1)) state <= DRAIN;
        end
      end
      default: if (data_free) begin  // DRAIN
        state <= WAIT;
        half  <= !half;
      end
    endcase
    if (rst_i) begin
      state    <= WAIT;
      half     <= 1'b0;
      complete <= '0;
    end
  end

  // ---- requests of a subrow: one per position, or one for all
  logic [POX-1:0] req_left;
  logic [31:0] req_address, step;  // step: of the layer, which stands still while it runs
  logic [15:0] req_run;
  always_ff @(posedge clk_i) step <= 32'(col_mul) * 32'(out_px_pitch);
  always_comb begin
    columns = '0;
    for (int x = 0; x < POX; x++) columns = columns + 5'(col_ok[x]);
  end
  assign requests_free = req_left == 0;
  assign req_valid_o   = req_left[0];
  assign req_offset_o  = req_address;
  assign req_beats_o   = 32'(req_run);
  always_ff @(posedge clk_i) begin
    if (req_left != 0 && (!req_left[0] || req_ready_i)) begin
      req_left    <= req_left >> 1;
      req_address <= req_address + step;
    end
    if (hand && row_inside) begin
      // Merged columns begin at position 0, or the request waits until the first that is inside.
      req_left    <= out_merge ? col_ok & (~col_ok + 1'b1) : col_ok;
      req_run     <= out_merge ? merged_run : out_run;
      req_address <= row_address;
    end
    if (rst_i) req_left <= '0;
  end

  // ---- data of a subrow
  logic [POX-1:0] data_left;
  logic [15:0] step_in_run, steps, last_step, group_base;
  logic room, issue;
  logic [4:0] credit;  // beats (or half beats) that the queue can still take
  logic [2:0] valid;
  logic [GW-1:0] group [3];
  assign steps     = out_u8 ? out_run << 1 : out_run;
  always_ff @(posedge clk_i) last_step <= steps - 1'b1;
  assign data_free = data_left == 0;
  assign room      = credit != 0;
  assign issue     = data_left[0] && room;
  assign re_o      = issue;
  assign half_o    = half;
  assign group_o   = GW'(group_base + step_in_run);
  always_ff @(posedge clk_i) begin
    if (data_left != 0 && !data_left[0]) begin
      data_left  <= data_left >> 1;
      position_o <= position_o + 1'b1;
    end
    if (issue) begin
      step_in_run <= step_in_run + 1'b1;
      if (step_in_run == last_step) begin
        step_in_run <= '0;
        data_left   <= data_left >> 1;
        position_o  <= position_o + 1'b1;
      end
    end
    if (hand && row_inside) begin
      data_left   <= col_ok;
      position_o  <= '0;
      step_in_run <= '0;
      row_o       <= oy;
      group_base  <= 16'(subrow) * steps;
    end
    if (rst_i) data_left <= '0;
  end

  // ---- masking, packing of bytes, queue
  logic [127:0] masked, packed_beat;
  logic [63:0] low_bytes;
  logic beat_push, second, second_q;
  always_comb begin
    for (int k = 0; k < 8; k++) begin
      logic [15:0] channel;
      channel = {13'(group[2]), 3'(k)};
      masked[k*16 +: 16] = channel < out_channels && !(out_u8 && k % 4 == 3)
                         ? data_i[k*16 +: 16] : 16'd0;
    end
    for (int k = 0; k < 8; k++) packed_beat[k*8 +: 8] = low_bytes[k*8 +: 8];
    for (int k = 0; k < 8; k++) packed_beat[64 + k*8 +: 8] = masked[k*16 +: 8];
  end
  assign beat_push = valid[2] && (!out_u8 || second);
  assign second    = second_q;
  always_ff @(posedge clk_i) begin
    valid    <= {valid[1:0], issue};
    group[0] <= group_o;
    group[1] <= group[0];
    group[2] <= group[1];
    if (valid[2] && out_u8) begin
      second_q <= !second_q;
      for (int k = 0; k < 8; k++) low_bytes[k*8 +: 8] <= masked[k*16 +: 8];
    end
    credit <= credit - 5'(issue)
            + (beat_valid_o && beat_ready_i ? (out_u8 ? 5'd2 : 5'd1) : 5'd0);
    if (rst_i) begin
      valid    <= '0;
      second_q <= 1'b0;
      credit   <= 5'd16;
    end
  end
  fifo #(.WIDTH(128), .DEPTH(16)) u_beats (
    .clk_i, .rst_i,
    .valid_i(beat_push), .ready_o(), .data_i(out_u8 ? packed_beat : masked),
    .valid_o(beat_valid_o), .ready_i(beat_ready_i), .data_o(beat_o)
  );

  assign idle_o = state == WAIT && !emit_valid && complete == 0 && req_left == 0 && valid == 0
               && !beat_valid_o;
endmodule

`default_nettype wire
