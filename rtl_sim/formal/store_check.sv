// store: of each half, every position that lies in the output and no other is requested, in order, at
// its address, and read from the buffer as often as its request has beats; what leaves is masked and
// packed as docs/accelerator.md says; nothing overflows; it stops only for someone outside. The layer
// is any of small numbers (its fields are as narrow as the registers below), stalls are free.
`default_nettype none

module store_check
  import xlic_isa_pkg::*;
#(
  parameter int POY      = 2,
  parameter int POX      = 4,
  parameter int CHANNELS = 64
) (
  input wire logic         clk_i,
  input wire logic         rst_i,
  input wire logic         emit_i,
  input wire logic [1:0]   grid_y_i,
  input wire logic [1:0]   grid_x_i,
  input wire logic [1:0]   phase_y_i,
  input wire logic [1:0]   phase_x_i,
  input wire logic         done_i,
  input wire logic         wait_i,
  input wire logic [127:0] data_i,
  input wire logic         req_ready_i,
  input wire logic         beat_ready_i
);
  localparam int GW = $clog2(CHANNELS) - 3;

  // ---- the layer
  logic [31:0] offset;
  logic [2:0] row_pitch, height, width;
  logic [1:0] px_pitch, run, row_mul, col_mul, subrows, lead;
  logic [6:0] channels;
  logic u8, merge;
  logic [7:0] steps;  // reads for one position
  logic [1023:0] layer;
  always_ff @(posedge clk_i) begin
    {offset, row_pitch, height, width, px_pitch} <= {offset, row_pitch, height, width, px_pitch};
    {run, row_mul, col_mul, subrows, lead} <= {run, row_mul, col_mul, subrows, lead};
    {channels, u8, merge} <= {channels, u8, merge};
  end
  always_comb begin
    layer = '0;
    layer[LAYER_OUT_OFFSET_LSB +: 32]   = offset;
    layer[LAYER_OUT_ROW_PITCH_LSB +: 3] = row_pitch;
    layer[LAYER_OUT_HEIGHT_LSB +: 3]    = height;
    layer[LAYER_OUT_WIDTH_LSB +: 3]     = width;
    layer[LAYER_OUT_PX_PITCH_LSB +: 2]  = px_pitch;
    layer[LAYER_OUT_RUN_LSB +: 2]       = run;
    layer[LAYER_ROW_MUL_LSB +: 2]       = row_mul;
    layer[LAYER_COL_MUL_LSB +: 2]       = col_mul;
    layer[LAYER_SUBROWS_LSB +: 2]       = subrows;
    layer[LAYER_OUT_LEAD_LSB +: 2]      = lead;
    layer[LAYER_OUT_CHANNELS_LSB +: 7]  = channels;
    layer[LAYER_OUT_U8_LSB]             = u8;
    layer[LAYER_OUT_MERGE_LSB]          = merge;
    // layer_checker refuses others.
    assume (run != 0 && row_mul != 0 && col_mul != 0 && subrows != 0);
    if (merge) assume (5'(px_pitch) * 5'(col_mul) == 5'(run));
    assume (6'(subrows) * 6'(steps) <= 6'(1 << GW));
  end

  logic half_freed, idle, re, half, req_valid, beat_valid;
  logic [GW-1:0] group;
  logic [$clog2(POY)-1:0] row;
  logic [$clog2(POX)-1:0] position;
  logic [31:0] req_offset, req_beats;
  logic [127:0] beat;
  logic [55:0] emit;
  assign emit = {20'(grid_y_i), 20'(grid_x_i), 8'(phase_y_i), 8'(phase_x_i)};
  store #(.POY(POY), .POX(POX), .CHANNELS(CHANNELS)) dut (
    .clk_i, .rst_i, .layer_i(layer), .emit_valid_i(emit_i), .emit_i(emit), .half_done_i(done_i),
    .half_freed_o(half_freed), .wait_i, .idle_o(idle), .re_o(re), .half_o(half), .group_o(group),
    .row_o(row), .position_o(position), .data_i, .req_valid_o(req_valid), .req_ready_i,
    .req_offset_o(req_offset), .req_beats_o(req_beats), .beat_valid_o(beat_valid), .beat_ready_i,
    .beat_o(beat)
  );
  typedef enum logic [2:0] {WAIT, BASE, ROW, PRODUCT, ADDRESS, HAND, DRAIN} state_e;

  // ---- the drain: tells of a half, then completes it; there are two halves
  logic started = 1'b0;
  logic [1:0] told, complete, unfreed;  // told and complete: not begun
  logic [7:0] first, second;            // what was told, the oldest first
  logic begins;
  assign begins = dut.emit_pop;
  always_ff @(posedge clk_i) begin
    started  <= 1'b1;
    told     <= told + 2'(emit_i) - 2'(begins);
    complete <= complete + 2'(done_i) - 2'(begins);
    unfreed  <= unfreed + 2'(emit_i) - 2'(half_freed);
    if (begins) first <= second;
    if (emit_i) begin
      if (told - 2'(begins) == 0) first <= {grid_y_i, grid_x_i, phase_y_i, phase_x_i};
      else second <= {grid_y_i, grid_x_i, phase_y_i, phase_x_i};
    end
    if (rst_i) {told, complete, unfreed} <= '0;
  end
  always_comb begin
    assume (rst_i == !started);
    if (emit_i) assume (unfreed < 2);
    if (done_i) assume (complete < told);
  end

  // ---- rows of the current half, as they are handed on
  logic signed [7:0] base_y, base_x, y;
  logic [7:0] oy, subrow;
  logic busy, now_half, leave, inside_y, handed;
  logic [POX-1:0] inside_x, lowest;
  assign steps    = 8'(run) << u8;
  assign y        = base_y + 8'(oy) * 8'(row_mul) + 8'(subrow);
  assign inside_y = y >= 0 && y < $signed(8'(height));
  assign leave    = dut.state == HAND && (dut.hand || !dut.row_inside);
  assign handed   = leave && inside_y;
  always_comb begin
    for (int x = 0; x < POX; x++) begin
      inside_x[x] = base_x + $signed(8'(x) * 8'(col_mul)) >= 0
                 && base_x + $signed(8'(x) * 8'(col_mul)) < $signed(8'(width));
    end
    lowest = inside_x & (~inside_x + 1'b1);
  end
  always_ff @(posedge clk_i) begin
    if (begins) begin
      base_y <= 8'(first[7:6]) * 8'(row_mul) + 8'(first[3:2]) - 8'(lead);
      base_x <= 8'(first[5:4]) * 8'(col_mul) + 8'(first[1:0]) - 8'(lead);
      busy   <= 1'b1;
      {oy, subrow} <= '0;
    end
    if (leave) begin
      subrow <= subrow + 1'b1;
      if (subrow + 1'b1 == 8'(subrows)) begin
        subrow <= '0;
        oy     <= oy + 1'b1;
      end
    end
    if (half_freed) begin
      busy     <= 1'b0;
      now_half <= !now_half;
    end
    if (rst_i) {busy, now_half} <= '0;
  end

  // ---- requests of the row that was handed on: columns to come
  logic [POX-1:0] wanted;
  logic [2:0] at, passed;  // lowest of them; positions that the design has passed
  logic [7:0] row_y;
  logic signed [7:0] row_x;
  logic [31:0] row_beats;
  logic [4:0] columns;
  logic request;
  assign request = req_valid && req_ready_i;
  always_comb begin
    at = '0;
    for (int x = POX - 1; x >= 0; x--) if (wanted[x]) at = 3'(x);
    columns = '0;
    for (int x = 0; x < POX; x++) columns = columns + 5'(inside_x[x]);
  end
  always_ff @(posedge clk_i) begin
    if (dut.req_left != 0 && (!req_valid || req_ready_i)) passed <= passed + 1'b1;
    if (request) wanted <= wanted & (wanted - 1'b1);
    if (handed) begin
      wanted    <= merge ? lowest : inside_x;
      row_beats <= merge ? 32'(run) * 32'(columns) : 32'(run);
      row_y     <= y;
      row_x     <= base_x;
      passed    <= '0;
    end
    if (rst_i) wanted <= '0;
  end
  function automatic logic [31:0] address(input logic [7:0] at_y, input logic signed [7:0] at_x);
    return offset + 32'(12'(at_y) * 12'(row_pitch)) + 32'(at_x) * $signed(32'(px_pitch));
  endfunction
  logic signed [7:0] want_x;
  assign want_x = row_x + 8'(at) * 8'(col_mul);

  // ---- reads of that row
  logic [POX-1:0] unread;
  logic [2:0] reading;
  logic [7:0] read_step, read_row, read_subrow;
  always_comb begin
    reading = '0;
    for (int x = POX - 1; x >= 0; x--) if (unread[x]) reading = 3'(x);
  end
  always_ff @(posedge clk_i) begin
    if (re) begin
      read_step <= read_step + 1'b1;
      if (read_step + 1'b1 == steps) begin
        read_step <= '0;
        unread    <= unread & (unread - 1'b1);
      end
    end
    if (handed) begin
      unread      <= inside_x;
      read_row    <= oy;
      read_subrow <= subrow;
      read_step   <= '0;
    end
    if (rst_i) unread <= '0;
  end

  // ---- beats: three cycles after a read, two reads to a beat of bytes
  logic [2:0] read_q;
  logic [GW-1:0] group_q [3];
  logic odd;
  logic [63:0] low_half;
  logic [127:0] values, packet;
  logic push, pop;
  logic [4:0] queued;
  always_comb begin
    for (int k = 0; k < 8; k++) begin
      values[k*16 +: 16] = 8 * group_q[2] + k < 32'(channels) ? data_i[k*16 +: 16] : '0;
    end
    packet = values;
    if (u8) begin
      for (int k = 0; k < 8; k++) packet[64 + k*8 +: 8] = k % 4 == 3 ? '0 : values[k*16 +: 8];
      packet[63:0] = low_half;
    end
  end
  assign push = read_q[2] && (!u8 || odd);
  assign pop  = beat_valid && beat_ready_i;
  always_ff @(posedge clk_i) begin
    read_q     <= {read_q[1:0], re};
    group_q[0] <= GW'(read_subrow * steps + read_step);
    group_q[1] <= group_q[0];
    group_q[2] <= group_q[1];
    if (read_q[2] && u8) begin
      odd      <= !odd;
      low_half <= packet[127:64];
    end
    queued <= queued + 5'(push) - 5'(pop);
    if (rst_i) {read_q, odd, queued} <= '0;
  end

  // ---- beats requested and not sent, to be requested for the row, to be pushed for it
  logic [7:0] owed;
  logic [5:0] todo, todo_sum, unpushed, unpushed_sum;
  always_comb begin
    todo_sum     = '0;
    unpushed_sum = 6'($countones(read_q)) + 6'(odd) - (unread != 0 ? 6'(read_step) : '0);
    for (int x = 0; x < POX; x++) begin
      if (wanted[x]) todo_sum = todo_sum + 6'(row_beats);
      if (unread[x]) unpushed_sum = unpushed_sum + 6'(steps);
    end
    unpushed_sum = unpushed_sum >> u8;
  end
  always_ff @(posedge clk_i) begin
    owed     <= owed + (request ? 8'(req_beats) : '0) - 8'(pop);
    todo     <= todo - (request ? 6'(req_beats) : '0) + (handed ? 6'(run) * 6'(columns) : '0);
    unpushed <= unpushed - 6'(push) + (handed ? 6'(run) * 6'(columns) : '0);
    if (rst_i) {owed, todo, unpushed} <= '0;
  end

  always_comb if (started) begin
    // Requests.
    asked: assert ((wanted != 0) == (dut.req_left != 0));
    if (req_valid) begin
      at_position:  assert (wanted != 0 && req_beats == row_beats);
      in_rows:      assert (row_y < 8'(height));
      in_columns:   assert (want_x >= 0 && want_x < $signed(8'(width)));
      at_address:   assert (req_offset == address(row_y, want_x));
    end
    // Reads: of the half that is stored, in the order of the requests.
    if (re) begin
      read_place: assert (unread != 0 && half == now_half && busy
                          && row == read_row[$clog2(POY)-1:0] && 3'(position) == reading);
      read_group: assert (8'(group) == read_subrow * steps + read_step);
    end
    // A half is freed when all its rows were handed on and read.
    if (half_freed) freed: assert (busy && oy == POY && unread == 0);
    if (begins) begun: assert (!busy && told != 0 && complete != 0 && !wait_i);
    // Beats.
    pushed: assert (dut.beat_push == push);
    if (push) push_exact: assert (dut.u_beats.data_i == packet && dut.u_beats.ready_o);
    beat_exact: assert (beat_valid == (queued != 0));
    if (emit_i) no_overflow: assert (dut.u_emits.ready_o);
    beats_match: assert (owed + 8'(todo) == 8'(unpushed) + 8'(queued));
    row_match: assert (todo == todo_sum && unpushed == unpushed_sum);
    if (idle) all_done: assert (owed == 0 && wanted == 0 && unread == 0 && told == 0 && !busy);
    // Something moves unless someone outside is waited for.
    if (dut.data_left != 0 && !re && dut.data_left[0]) begin
      not_stuck: assert (beat_valid || read_q != 0);
    end

    c_two_halves: cover (half_freed && now_half && owed > 3);
    c_merged: cover (request && merge && req_beats == 6 && want_x == 0 && row_x == -1);
    c_bytes: cover (push && u8 && packet == 128'h00112233_00445566_00778899_00AABBCC);
    c_full: cover (dut.credit == 0 && queued == (u8 ? 8 : 16));
    c_outside: cover (half_freed && subrows == 2 && row_y == 8'(height) - 1 && inside_x == 4'b0110);
  end

  // ---- invariants
  logic signed [31:0] passed_x;
  assign passed_x = 32'(row_x) + 32'(passed) * $signed(32'(col_mul));
  always_comb if (started) begin
    i_emits: assert (3'(dut.u_emits.tail - dut.u_emits.head) == 3'(told) && told <= 2
                     && told + 2'(busy) == unfreed && unfreed <= 2 && complete <= told
                     && dut.complete == complete);
    if (told != 0) begin
      i_first: assert (dut.u_emits.mem[dut.u_emits.head[1:0]]
                       == {18'b0, first[7:6], 18'b0, first[5:4], 6'b0, first[3:2], 6'b0, first[1:0]});
    end
    if (told == 2) begin
      i_second: assert (dut.u_emits.mem[2'(dut.u_emits.head[1:0] + 1'b1)]
                        == {18'b0, second[7:6], 18'b0, second[5:4], 6'b0, second[3:2], 6'b0,
                            second[1:0]});
    end
    i_busy: assert (busy == (dut.state != WAIT) && dut.half == now_half && dut.state <= DRAIN);
    if (busy) begin
      i_base: assert (dut.base_y == 22'(base_y) && dut.base_x == 22'(base_x)
                      && base_y >= -3 && base_y <= 12 && base_x >= -3 && base_x <= 12);
      if (dut.state != DRAIN) begin
        i_rows: assert (oy < POY && 8'(dut.oy) == oy && dut.subrow == subrow
                        && subrow < 8'(subrows));
      end else i_drain: assert (oy == POY);
    end
    if (dut.state == PRODUCT || dut.state == ADDRESS || dut.state == HAND) begin
      i_y: assert (dut.y == 22'(y));
    end
    if (dut.state == ADDRESS && inside_y) begin
      i_product: assert (dut.row_product == 32'(y) * 32'(row_pitch)
                         && dut.x_product == 32'(base_x) * $signed(32'(px_pitch)));
    end
    i_static: assert (dut.last_step == dut.steps - 1'b1
                      && dut.step == 32'(col_mul) * 32'(px_pitch));
    if (dut.state == ADDRESS) i_columns: assert (dut.columns_q == dut.columns);
    if (dut.state == HAND) i_merged: assert (dut.merged_run == 16'(run) * 16'(dut.columns));
    if (dut.state == HAND && inside_y) i_address: assert (dut.row_address == address(y, base_x));
    if (wanted != 0) begin
      i_wanted: assert (dut.req_left == (wanted >> passed) && passed <= at
                        && 32'(dut.req_run) == row_beats
                        && req_offset == address(row_y, 8'(passed_x)));
      i_row: assert (row_y < 8'(height) && row_x >= -3 && row_x <= 12
                     && (merge ? row_beats <= POX * 3 : row_beats == 32'(run)));
      for (int x = 0; x < POX; x++) begin
        if (wanted[x]) begin
          assert (row_x + $signed(8'(x) * 8'(col_mul)) >= 0
                  && row_x + $signed(8'(x) * 8'(col_mul)) < $signed(8'(width)));
        end
      end
    end
    i_unread: assert ((unread != 0) == (dut.data_left != 0));
    if (unread != 0) begin
      i_data: assert (dut.data_left == (unread >> position) && 3'(position) <= reading);
      i_step: assert (dut.step_in_run == 16'(read_step) && read_step < steps
                      && dut.group_base == 16'(read_subrow * steps) && busy);
      i_place: assert (row == read_row[$clog2(POY)-1:0] && read_row < POY
                       && read_subrow < 8'(subrows));
      if (dut.data_left[0] == 0) assert (read_step == 0);
    end
    i_pipe: assert (dut.valid == read_q && dut.second_q == odd && (u8 || !odd));
    for (int i = 0; i < 3; i++) if (read_q[i]) assert (dut.group[i] == group_q[i]);
    if (odd) i_low: assert (dut.low_bytes == low_half);
    i_credit: assert (dut.credit <= 16
                      && 12'(dut.credit) + 12'($countones(read_q)) + 12'(odd)
                         + (12'(queued) << u8) == 16);
    i_queued: assert (5'(dut.u_beats.tail - dut.u_beats.head) == queued);
    i_even: assert (!u8 || ((4'($countones(read_q)) + 4'(odd)
                             + (unread != 0 ? 4'(read_step) : '0)) & 4'd1) == 0);
    i_read: assert (busy || unread == 0);
  end
endmodule

`default_nettype wire
