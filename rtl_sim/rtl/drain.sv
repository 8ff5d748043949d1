// Takes finished sums out of the array, lane by lane and row by row, POX a cycle, while the array
// works on: adds the bias, shifts, clips, and sends rows to the hold buffer, to the normalizer or to
// the output buffer. POF * POY cycles per pass; 5 cycles from the shadow to a result.
`default_nettype none

module drain
  import xlic_isa_pkg::*;
#(
  parameter int POF      = 16,
  parameter int POY      = 4,
  parameter int POX      = 16,
  parameter int CHANNELS = 256
) (
  input  wire logic                        clk_i,
  input  wire logic                        rst_i,
  // The layer.
  input  wire logic [19:0]                 out_height_i,
  input  wire logic [19:0]                 out_width_i,
  input  wire logic [7:0]                  row_mul_i,
  input  wire logic [7:0]                  col_mul_i,
  input  wire logic [7:0]                  out_lead_i,
  input  wire logic [15:0]                 out_channels_i,
  // The pass whose sums come next.
  input  wire logic                        pass_valid_i,
  output logic                             pass_ready_o,
  input  wire logic [2:0]                  destination_i,
  input  wire logic [15:0]                 channel_base_i,
  input  wire logic [15:0]                 param_base_i,
  input  wire logic                        emit_begin_i,
  input  wire logic                        emit_end_i,
  input  wire logic [7:0]                  phase_y_i,
  input  wire logic [7:0]                  phase_x_i,
  input  wire logic [19:0]                 grid_y_i,
  input  wire logic [19:0]                 grid_x_i,
  // The array's shadow.
  input  wire logic                        capture_i,
  output logic                             read_o,
  output logic [$clog2(POF)-1:0]           lane_o,
  output logic [$clog2(POY)-1:0]           row_o,
  input  wire logic [POX*48-1:0]           sums_i,
  output logic                             released_o,   // the shadow will be free in 8 or 9 cycles
  // Parameters, a cycle after the address.
  output logic [15:0]                      param_addr_o,
  input  wire logic [63:0]                 param_i,
  // Hold buffer.
  output logic                             hold_we_o,
  output logic [$clog2(CHANNELS)-1:0]      hold_channel_o,
  output logic [$clog2(POY)-1:0]           hold_row_o,
  output logic [POX*16-1:0]                hold_data_o,
  output logic                             held_o,       // one more channel is held
  output logic                             hold_re_o,
  output logic [$clog2(CHANNELS)-1:0]      hold_rchannel_o,
  output logic [$clog2(POY)-1:0]           hold_rrow_o,
  input  wire logic [POX*16-1:0]           hold_rdata_i,
  // Output buffer.
  input  wire logic                        half_free_i,  // the next half is
  output logic                             half_take_o,
  output logic                             emit_valid_o, // the half that is being filled, told early
  output logic [55:0]                      emit_o,       // grid_y, grid_x, phase_y, phase_x
  output logic                             out_we_o,
  output logic                             out_half_o,
  output logic [$clog2(CHANNELS)-1:0]      out_channel_o,
  output logic [$clog2(POY)-1:0]           out_row_o,
  output logic [POX*16-1:0]                out_data_o,
  output logic                             out_last_o,   // the half is complete
  // Counting and state.
  output logic [5:0]                       conv_saturations_o,
  output logic [5:0]                       activation_saturations_o,
  output logic                             waiting_o,    // for a free half
  output logic                             busy_o
);
  localparam int LW = $clog2(POF);
  localparam int RW = $clog2(POY);
  localparam int CW = $clog2(CHANNELS);
  localparam int COUNT_W = LW + RW + 1;
  localparam int EARLY = 8;
  localparam int TAG_W = 1 + CW + RW + 1;

  // ---- control: one pass after the other
  typedef enum logic [2:0] {IDLE, BASE, MASK, ARMED, RUN} state_e;
  state_e state;
  logic [2:0] destination;
  logic [15:0] channel_base, param_base;
  logic emit_begin, emit_end, captured, half, start;
  logic [7:0] phase_y, phase_x;
  logic [19:0] grid_y, grid_x;
  logic signed [21:0] base_y, base_x;
  logic [POY-1:0] row_ok_d, row_ok;
  logic [POX-1:0] col_ok_d, col_ok;
  logic [COUNT_W-1:0] count;
  logic last_row;

  axis_mask #(.COUNT(POY)) u_rows (
    .base_i(base_y), .step_i(row_mul_i), .limit_i(out_height_i), .ok_o(row_ok_d));
  axis_mask #(.COUNT(POX)) u_cols (
    .base_i(base_x), .step_i(col_mul_i), .limit_i(out_width_i), .ok_o(col_ok_d));

  assign pass_ready_o = state == IDLE;
  assign start        = state == ARMED && captured && (!emit_begin || half_free_i);
  assign waiting_o    = state == ARMED && captured && emit_begin && !half_free_i;
  assign half_take_o  = start && emit_begin;
  assign read_o       = state == RUN;
  assign lane_o       = count[RW +: LW];
  assign row_o        = count[RW-1:0];
  assign param_addr_o = param_base + 16'(lane_o);
  assign last_row     = count == (COUNT_W)'(POF * POY - 1);
  assign released_o   = POF * POY <= EARLY ? start
                      : state == RUN && count == (COUNT_W)'(POF * POY - EARLY);
  assign emit_valid_o = start && emit_end;
  assign emit_o       = {grid_y, grid_x, phase_y, phase_x};

  always_ff @(posedge clk_i) begin
    if (capture_i) captured <= 1'b1;
    case (state)
      IDLE: if (pass_valid_i) begin
        state        <= BASE;
        destination  <= destination_i;
        channel_base <= channel_base_i;
        param_base   <= param_base_i;
        emit_begin   <= emit_begin_i;
        emit_end     <= emit_end_i;
        phase_y      <= phase_y_i;
        phase_x      <= phase_x_i;
        grid_y       <= grid_y_i;
        grid_x       <= grid_x_i;
      end
      BASE: begin
        state  <= MASK;
        base_y <= 22'(grid_y) * 22'(row_mul_i) + 22'(phase_y) - 22'(out_lead_i);
        base_x <= 22'(grid_x) * 22'(col_mul_i) + 22'(phase_x) - 22'(out_lead_i);
      end
      MASK: begin
        state  <= ARMED;
        row_ok <= row_ok_d;
        col_ok <= col_ok_d;
      end
      ARMED: if (start) begin
        state    <= RUN;
        captured <= capture_i;
        count    <= '0;
        if (emit_begin) half <= !half;
      end
      default: begin  // RUN
        count <= count + 1'b1;
        if (last_row) state <= IDLE;
      end
    endcase
    if (rst_i) begin
      state    <= IDLE;
      captured <= 1'b0;
      half     <= 1'b1;  // the first emission takes half 0
    end
  end

  // ---- pipeline. Stage 0 is the shadow's output and the parameter, aligned.
  localparam int STAGES = 5;
  logic [STAGES-1:0] valid, done, in_half;
  logic [2:0] to [STAGES];
  logic [CW-1:0] channel [STAGES];
  logic [RW-1:0] row [STAGES];
  logic [POX-1:0] counted [STAGES];
  logic [5:0] shift [3];
  logic [9:0] aux [STAGES];
  logic signed [47:0] biased [POX], coarse [POX], fine [POX];
  logic signed [47:0] sums [POX], biased_d [POX], coarse_d [POX], fine_d [POX];
  logic skip;

  assign skip = param_i[PARAM_AUX_LSB + $clog2(SKIP_LANE)];
  always_comb begin
    for (int x = 0; x < POX; x++) sums[x] = sums_i[x*48 +: 48];
  end
  always_comb begin
    for (int x = 0; x < POX; x++) biased_d[x] = sums[x] + $signed(param_i[47:0]);
  end
  always_comb begin
    for (int x = 0; x < POX; x++) coarse_d[x] = biased[x] >>> {shift[1][5:3], 3'b0};
  end
  always_comb begin
    for (int x = 0; x < POX; x++) fine_d[x] = coarse[x] >>> shift[2][2:0];
  end

  logic [15:0] stage0_channel;
  logic stage0_counted;
  assign stage0_channel = 16'(channel[0]);
  assign stage0_counted = stage0_channel < out_channels_i;

  always_ff @(posedge clk_i) begin
    // Stage 0
    valid[0]   <= read_o;
    done[0]    <= last_row && emit_end;
    in_half[0] <= half;
    to[0]      <= destination;
    channel[0] <= CW'(channel_base + 16'(lane_o));
    row[0]     <= row_o;
    counted[0] <= row_ok[row_o] ? col_ok : '0;
    // Stage 1
    valid[1]   <= valid[0] && !skip;
    done[1]    <= valid[0] && done[0];  // even where the last lane is skipped
    in_half[1] <= in_half[0];
    to[1]      <= to[0];
    channel[1] <= to[0] == DEST_OUT_U8 ? param_i[PARAM_AUX_LSB +: CW] : channel[0];
    row[1]     <= row[0];
    counted[1] <= stage0_counted ? counted[0] : '0;
    shift[1]   <= param_i[PARAM_SHIFT_LSB +: PARAM_SHIFT_BITS];
    aux[1]     <= param_i[PARAM_AUX_LSB +: PARAM_AUX_BITS];
    if (valid[0]) for (int x = 0; x < POX; x++) biased[x] <= biased_d[x];
    // Stages 2 and 3
    for (int i = 2; i < STAGES; i++) begin
      valid[i]   <= valid[i-1];
      done[i]    <= done[i-1];
      in_half[i] <= in_half[i-1];
      to[i]      <= to[i-1];
      channel[i] <= channel[i-1];
      row[i]     <= row[i-1];
      counted[i] <= counted[i-1];
      aux[i]     <= aux[i-1];
    end
    shift[2] <= shift[1];
    if (valid[1]) for (int x = 0; x < POX; x++) coarse[x] <= coarse_d[x];
    if (valid[2]) for (int x = 0; x < POX; x++) fine[x] <= fine_d[x];
    if (rst_i) begin
      valid <= '0;
      done  <= '0;
    end
  end
  // Stage 4: clipped values. The held row is read at stage 3 and arrives with them.
  logic [POX*16-1:0] value;
  logic [POX*24-1:0] norm;
  logic [POX-1:0] clipped, norm_clipped;
  assign hold_re_o       = valid[3] && (to[3] == DEST_OUT_GDN || to[3] == DEST_OUT_IGDN);
  // (always_comb: Icarus 11 reads X from an assigned array element in an instance.)
  always_comb hold_rchannel_o = channel[3];
  always_comb hold_rrow_o     = row[3];
  always_ff @(posedge clk_i) begin
    if (valid[3]) begin
      for (int x = 0; x < POX; x++) begin
        clipped[x] <= to[3] != DEST_OUT_U8 && (fine[x] > 48'sd32767 || fine[x] < -48'sd32768);
        if (to[3] == DEST_OUT_U8) begin
          value[x*16 +: 16] <= fine[x] < 48'sd0 ? 16'd0 : fine[x] > 48'sd255 ? 16'd255 : fine[x][15:0];
        end else begin
          value[x*16 +: 16] <= fine[x] > 48'sd32767 ? 16'h7FFF
                             : fine[x] < -48'sd32768 ? 16'h8000 : fine[x][15:0];
        end
        norm_clipped[x]  <= fine[x] > 48'sd16777215;
        norm[x*24 +: 24] <= fine[x] < 48'sd1 ? 24'd1
                          : fine[x] > 48'sd16777215 ? 24'hFFFFFF : fine[x][23:0];
      end
    end
  end

  logic to_hold, to_normal, to_output;
  assign to_hold   = valid[4] && to[4] == DEST_HOLD;
  assign to_normal = valid[4] && (to[4] == DEST_OUT_GDN || to[4] == DEST_OUT_IGDN);
  assign to_output = valid[4] && (to[4] == DEST_OUT_I16 || to[4] == DEST_OUT_U8);

  assign hold_we_o      = to_hold;
  always_comb hold_channel_o = channel[4];
  always_comb hold_row_o     = row[4];
  assign hold_data_o    = value;
  always_ff @(posedge clk_i) held_o <= to_hold && row[4] == (RW)'(POY - 1) && !rst_i;

  // ---- normalization, and the way to the output buffer
  logic normal_valid, normal_half, normal_last;
  logic [POX*16-1:0] normal_y;
  logic [POX-1:0] normal_clipped;
  logic [CW-1:0] normal_channel;
  logic [RW-1:0] normal_row;
  logic [4:0] normal_busy;  // rows on their way
  normalizer #(.POX(POX), .TAG_W(TAG_W)) u_normalizer (
    .clk_i, .rst_i,
    .valid_i(to_normal), .inverse_i(to[4] == DEST_OUT_IGDN),
    .n_i(norm), .x_i(hold_rdata_i), .amount_i(aux[4][5:0]), .counted_i(counted[4]),
    .tag_i({in_half[4], channel[4], row[4], done[4]}),
    .valid_o(normal_valid), .y_o(normal_y), .clipped_o(normal_clipped),
    .tag_o({normal_half, normal_channel, normal_row, normal_last})
  );

  // Icarus 11 counts wrongly in an expression.
  logic [POX-1:0] conv_clips, norm_clips, result_clips;
  assign conv_clips   = clipped & counted[4];
  assign norm_clips   = norm_clipped & counted[4] & {POX{to_normal}};
  assign result_clips = normal_clipped & {POX{normal_valid}};

  // A skipped last lane has no row to carry the end of the emission: the end follows behind, a cycle
  // later still where it would meet that of the next emission.
  logic lone_done, row_done, late_done;
  logic [31:0] lone_delay;
  assign lone_done = done[4] && !valid[4];
  assign row_done  = (normal_valid && normal_last) || (to_output && done[4]);
  assign busy_o = state != IDLE || pass_valid_i || valid != 0 || normal_busy != 0
               || lone_delay != 0 || late_done;

  always_ff @(posedge clk_i) begin
    normal_busy   <= normal_busy + 5'(to_normal) - 5'(normal_valid);
    out_we_o      <= normal_valid || to_output;
    out_half_o    <= normal_valid ? normal_half : in_half[4];
    out_channel_o <= normal_valid ? normal_channel : channel[4];
    out_row_o     <= normal_valid ? normal_row : row[4];
    out_data_o    <= normal_valid ? normal_y : value;
    lone_delay    <= {lone_delay[30:0], lone_done};
    late_done     <= row_done && (lone_delay[31] || late_done);
    out_last_o    <= row_done || lone_delay[31] || late_done;
    conv_saturations_o       <= '0;
    activation_saturations_o <= '0;
    if (to_hold || to_output) conv_saturations_o <= 6'($countones(conv_clips));
    if (to_normal || normal_valid) begin
      activation_saturations_o <= 6'($countones(norm_clips))
                                + 6'($countones(result_clips));
    end
    if (rst_i) begin
      normal_busy              <= '0;
      out_we_o                 <= 1'b0;
      out_last_o               <= 1'b0;
      lone_delay               <= '0;
      late_done                <= 1'b0;
      conv_saturations_o       <= '0;
      activation_saturations_o <= '0;
    end
  end
endmodule

`default_nettype wire
