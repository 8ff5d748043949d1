// The device under test when the harness itself is tested: copies beats within memory through the
// accelerator's ports, correctly, or with one violation of the protocol that a register asks for.
// A burst at a time is read and then written; nothing is optimized.
`default_nettype none

module copier #(
  parameter logic [63:0] SOURCE_HASH = 64'h0,
  parameter int          MARK        = 0       // read back at 0x60: which variant this is
) (
  input  wire logic         ap_clk,
  input  wire logic         ap_rst_n,
  output logic              interrupt,

  input  wire logic         s_axi_control_AWVALID,
  output logic              s_axi_control_AWREADY,
  input  wire logic [11:0]  s_axi_control_AWADDR,
  input  wire logic         s_axi_control_WVALID,
  output logic              s_axi_control_WREADY,
  input  wire logic [31:0]  s_axi_control_WDATA,
  input  wire logic [3:0]   s_axi_control_WSTRB,
  input  wire logic         s_axi_control_ARVALID,
  output logic              s_axi_control_ARREADY,
  input  wire logic [11:0]  s_axi_control_ARADDR,
  output logic              s_axi_control_RVALID,
  input  wire logic         s_axi_control_RREADY,
  output logic [31:0]       s_axi_control_RDATA,
  output logic [1:0]        s_axi_control_RRESP,
  output logic              s_axi_control_BVALID,
  input  wire logic         s_axi_control_BREADY,
  output logic [1:0]        s_axi_control_BRESP,

  output logic              m_axi_gmem0_AWVALID,
  input  wire logic         m_axi_gmem0_AWREADY,
  output logic [63:0]       m_axi_gmem0_AWADDR,
  output logic [0:0]        m_axi_gmem0_AWID,
  output logic [7:0]        m_axi_gmem0_AWLEN,
  output logic [2:0]        m_axi_gmem0_AWSIZE,
  output logic [1:0]        m_axi_gmem0_AWBURST,
  output logic [1:0]        m_axi_gmem0_AWLOCK,
  output logic [3:0]        m_axi_gmem0_AWREGION,
  output logic [3:0]        m_axi_gmem0_AWCACHE,
  output logic [2:0]        m_axi_gmem0_AWPROT,
  output logic [3:0]        m_axi_gmem0_AWQOS,
  output logic              m_axi_gmem0_WVALID,
  input  wire logic         m_axi_gmem0_WREADY,
  output logic [127:0]      m_axi_gmem0_WDATA,
  output logic [15:0]       m_axi_gmem0_WSTRB,
  output logic              m_axi_gmem0_WLAST,
  output logic              m_axi_gmem0_ARVALID,
  input  wire logic         m_axi_gmem0_ARREADY,
  output logic [63:0]       m_axi_gmem0_ARADDR,
  output logic [0:0]        m_axi_gmem0_ARID,
  output logic [7:0]        m_axi_gmem0_ARLEN,
  output logic [2:0]        m_axi_gmem0_ARSIZE,
  output logic [1:0]        m_axi_gmem0_ARBURST,
  output logic [1:0]        m_axi_gmem0_ARLOCK,
  output logic [3:0]        m_axi_gmem0_ARREGION,
  output logic [3:0]        m_axi_gmem0_ARCACHE,
  output logic [2:0]        m_axi_gmem0_ARPROT,
  output logic [3:0]        m_axi_gmem0_ARQOS,
  input  wire logic         m_axi_gmem0_RVALID,
  output logic              m_axi_gmem0_RREADY,
  input  wire logic [127:0] m_axi_gmem0_RDATA,
  input  wire logic         m_axi_gmem0_RLAST,
  input  wire logic [0:0]   m_axi_gmem0_RID,
  input  wire logic [1:0]   m_axi_gmem0_RRESP,
  input  wire logic         m_axi_gmem0_BVALID,
  output logic              m_axi_gmem0_BREADY,
  input  wire logic [1:0]   m_axi_gmem0_BRESP,
  input  wire logic [0:0]   m_axi_gmem0_BID,

  output logic              m_axi_gmem1_AWVALID,
  input  wire logic         m_axi_gmem1_AWREADY,
  output logic [63:0]       m_axi_gmem1_AWADDR,
  output logic [0:0]        m_axi_gmem1_AWID,
  output logic [7:0]        m_axi_gmem1_AWLEN,
  output logic [2:0]        m_axi_gmem1_AWSIZE,
  output logic [1:0]        m_axi_gmem1_AWBURST,
  output logic [1:0]        m_axi_gmem1_AWLOCK,
  output logic [3:0]        m_axi_gmem1_AWREGION,
  output logic [3:0]        m_axi_gmem1_AWCACHE,
  output logic [2:0]        m_axi_gmem1_AWPROT,
  output logic [3:0]        m_axi_gmem1_AWQOS,
  output logic              m_axi_gmem1_WVALID,
  input  wire logic         m_axi_gmem1_WREADY,
  output logic [127:0]      m_axi_gmem1_WDATA,
  output logic [15:0]       m_axi_gmem1_WSTRB,
  output logic              m_axi_gmem1_WLAST,
  output logic              m_axi_gmem1_ARVALID,
  input  wire logic         m_axi_gmem1_ARREADY,
  output logic [63:0]       m_axi_gmem1_ARADDR,
  output logic [0:0]        m_axi_gmem1_ARID,
  output logic [7:0]        m_axi_gmem1_ARLEN,
  output logic [2:0]        m_axi_gmem1_ARSIZE,
  output logic [1:0]        m_axi_gmem1_ARBURST,
  output logic [1:0]        m_axi_gmem1_ARLOCK,
  output logic [3:0]        m_axi_gmem1_ARREGION,
  output logic [3:0]        m_axi_gmem1_ARCACHE,
  output logic [2:0]        m_axi_gmem1_ARPROT,
  output logic [3:0]        m_axi_gmem1_ARQOS,
  input  wire logic         m_axi_gmem1_RVALID,
  output logic              m_axi_gmem1_RREADY,
  input  wire logic [127:0] m_axi_gmem1_RDATA,
  input  wire logic         m_axi_gmem1_RLAST,
  input  wire logic [0:0]   m_axi_gmem1_RID,
  input  wire logic [1:0]   m_axi_gmem1_RRESP,
  input  wire logic         m_axi_gmem1_BVALID,
  output logic              m_axi_gmem1_BREADY,
  input  wire logic [1:0]   m_axi_gmem1_BRESP,
  input  wire logic [0:0]   m_axi_gmem1_BID
);
  // Violations that register 0x4c asks for. Named alike in xlic's tests.
  localparam logic [7:0]
    V_NONE         = 8'd0,
    V_AR_CHANGES   = 8'd1,   // address changed while stalled
    V_AR_WITHDRAWN = 8'd2,
    V_AW_CHANGES   = 8'd3,
    V_W_CHANGES    = 8'd4,
    V_W_WITHDRAWN  = 8'd5,
    V_CROSSES_4K   = 8'd6,   // bursts are not cut at 4 KB
    V_FIXED_BURST  = 8'd7,
    V_NARROW       = 8'd8,
    V_LOCK         = 8'd9,
    V_UNALIGNED    = 8'd10,
    V_LAST_EARLY   = 8'd11,
    V_LAST_MISSING = 8'd12,
    V_DATA_FIRST   = 8'd13,  // write data without ever an address
    V_STROBES      = 8'd14,
    V_NO_WAIT      = 8'd15,  // interrupt before the response
    V_PORT_1       = 8'd16,  // writes on port 1
    V_IN_RESET     = 8'd17,  // ARVALID rises in the next reset
    V_ASSERTION    = 8'd18,
    V_RESPONSE     = 8'd19,  // SLVERR on the register bus
    V_NO_REGISTERS = 8'd20,  // the register bus falls silent
    V_X            = 8'd21;  // address bits that were never set

  // --- registers ---
  logic        have_addr, have_data, have_read, write_now;
  logic [11:0] write_addr, read_addr;
  logic [31:0] write_data, gie, ier, window_beats, source, destination, count;
  logic [63:0] gmem0, gmem1;
  logic [7:0]  violation;
  logic        isr, ap_start, ap_done, ap_idle;
  logic [31:0] cycles, errors;
  logic [7:0]  never_set;  // no reset, no write: X in a 4-state simulator
  logic [63:0] armed;      // KEY: misbehave in the next reset, which does not clear this
  localparam logic [63:0] KEY = 64'hc0b1_e5ee_d0f1_7e57;

  assign write_now             = have_addr && have_data && !s_axi_control_BVALID;
  assign s_axi_control_AWREADY = !have_addr && !s_axi_control_BVALID && violation != V_NO_REGISTERS;
  assign s_axi_control_WREADY  = !have_data && !s_axi_control_BVALID && violation != V_NO_REGISTERS;
  assign s_axi_control_ARREADY = !have_read && !s_axi_control_RVALID && violation != V_NO_REGISTERS;
  assign s_axi_control_BRESP   = violation == V_RESPONSE ? 2'b10 : 2'b00;
  assign s_axi_control_RRESP   = violation == V_RESPONSE ? 2'b10 : 2'b00;
  assign interrupt             = gie[0] && ier[0] && isr;

  always_ff @(posedge ap_clk) begin
    ap_start <= 1'b0;
    if (s_axi_control_AWVALID && s_axi_control_AWREADY) begin
      have_addr  <= 1'b1;
      write_addr <= s_axi_control_AWADDR;
    end
    if (s_axi_control_WVALID && s_axi_control_WREADY) begin
      have_data  <= 1'b1;
      write_data <= s_axi_control_WDATA;
    end
    if (write_now) begin
      have_addr            <= 1'b0;
      have_data            <= 1'b0;
      s_axi_control_BVALID <= 1'b1;
      case (write_addr)
        12'h00: ap_start      <= write_data[0];
        12'h04: gie           <= write_data;
        12'h08: ier           <= write_data;
        12'h0c: isr           <= isr ^ write_data[0];
        12'h10: gmem0[31:0]   <= write_data;
        12'h14: gmem0[63:32]  <= write_data;
        12'h1c: gmem1[31:0]   <= write_data;
        12'h20: gmem1[63:32]  <= write_data;
        12'h28: window_beats  <= write_data;
        12'h40: source        <= write_data;
        12'h44: destination   <= write_data;
        12'h48: count         <= write_data;
        12'h4c: violation     <= write_data[7:0];
        default: ;
      endcase
    end
    if (s_axi_control_BVALID && s_axi_control_BREADY) s_axi_control_BVALID <= 1'b0;

    if (s_axi_control_ARVALID && s_axi_control_ARREADY) begin
      have_read <= 1'b1;
      read_addr <= s_axi_control_ARADDR;
    end
    if (have_read && !s_axi_control_RVALID) begin
      have_read            <= 1'b0;
      s_axi_control_RVALID <= 1'b1;
      case (read_addr)
        12'h00: begin
          s_axi_control_RDATA <= {28'b0, ap_done, ap_idle, ap_done, 1'b0};
          ap_done <= 1'b0;
        end
        12'h04: s_axi_control_RDATA <= gie;
        12'h08: s_axi_control_RDATA <= ier;
        12'h0c: s_axi_control_RDATA <= {31'b0, isr};
        12'h28: s_axi_control_RDATA <= window_beats;
        12'h50: s_axi_control_RDATA <= cycles;
        12'h54: s_axi_control_RDATA <= errors;
        12'h60: s_axi_control_RDATA <= MARK;
        12'h64: s_axi_control_RDATA <= {24'b0, never_set};
        12'h100: s_axi_control_RDATA <= 32'h434c_4958;
        12'h10c: s_axi_control_RDATA <= SOURCE_HASH[31:0];
        12'h110: s_axi_control_RDATA <= SOURCE_HASH[63:32];
        default: s_axi_control_RDATA <= '0;
      endcase
    end
    if (s_axi_control_RVALID && s_axi_control_RREADY) s_axi_control_RVALID <= 1'b0;
    if (finished) begin
      ap_done <= 1'b1;
      isr     <= 1'b1;
    end
    if (!ap_rst_n) begin
      have_addr <= 1'b0;
      have_data <= 1'b0;
      have_read <= 1'b0;
      s_axi_control_BVALID <= 1'b0;
      s_axi_control_RVALID <= 1'b0;
      gie <= '0;
      ier <= '0;
      isr <= 1'b0;
      ap_done <= 1'b0;
      violation <= V_NONE;
    end
  end

  // --- copying ---
  typedef enum logic [2:0] {IDLE, READ_ADDR, READ_DATA, WRITE_ADDR, WRITE_DATA, RESPONSE} state_e;
  state_e state;
  logic finished, stalled;
  logic [127:0] buffer [256];
  logic [31:0] from, to, left;
  logic [8:0] size, index, room, last_index;
  logic ar_valid, aw_valid, w_valid, w_last;
  logic [63:0] ar_addr, aw_addr;
  logic [127:0] w_data;

  // Cut where source or destination would cross 4 KB.
  function automatic logic [8:0] least(input logic [8:0] a, input logic [8:0] b);
    return a < b ? a : b;
  endfunction
  assign room = violation == V_CROSSES_4K ? 9'd256
              : least(9'd256 - {1'b0, from[7:0]}, 9'd256 - {1'b0, to[7:0]});
  assign size = left < {23'b0, room} ? left[8:0] : room;
  assign last_index = violation == V_LAST_EARLY ? size - 9'd2 : size - 9'd1;
  assign ap_idle = state == IDLE;

  assign ar_addr = gmem1 + {28'b0, from, 4'b0}
                 + ((violation == V_AR_CHANGES && stalled) ? 64'd16 : 64'd0)
                 + (violation == V_UNALIGNED ? 64'd8 : 64'd0)
                 + (violation == V_X ? {56'b0, never_set} : 64'd0);
  assign aw_addr = (violation == V_PORT_1 ? gmem1 : gmem0) + {28'b0, to, 4'b0}
                 + ((violation == V_AW_CHANGES && stalled) ? 64'd4096 : 64'd0);
  assign ar_valid = (state == READ_ADDR && !(violation == V_AR_WITHDRAWN && stalled))
                  || (armed === KEY && !ap_rst_n);
  assign aw_valid = state == WRITE_ADDR && violation != V_DATA_FIRST;
  assign w_valid  = (state == WRITE_DATA && !(violation == V_W_WITHDRAWN && stalled))
                  || (state == WRITE_ADDR && violation == V_DATA_FIRST);
  assign w_data   = buffer[index[7:0]]
                  ^ ((violation == V_W_CHANGES && stalled) ? 128'd1 : 128'd0);
  assign w_last   = index == last_index && violation != V_LAST_MISSING;

  logic ar_ready, r_valid, r_last, aw_ready, w_ready, b_valid;
  logic [1:0] r_resp, b_resp;
  logic [127:0] r_data;
  assign ar_ready = m_axi_gmem1_ARREADY;
  assign r_valid  = m_axi_gmem1_RVALID;
  assign r_last   = m_axi_gmem1_RLAST;
  assign r_resp   = m_axi_gmem1_RRESP;
  assign r_data   = m_axi_gmem1_RDATA;
  assign aw_ready = violation == V_PORT_1 ? m_axi_gmem1_AWREADY : m_axi_gmem0_AWREADY;
  assign w_ready  = violation == V_PORT_1 ? m_axi_gmem1_WREADY : m_axi_gmem0_WREADY;
  assign b_valid  = violation == V_PORT_1 ? m_axi_gmem1_BVALID : m_axi_gmem0_BVALID;
  assign b_resp   = violation == V_PORT_1 ? m_axi_gmem1_BRESP : m_axi_gmem0_BRESP;

  always_ff @(posedge ap_clk) begin
    finished <= 1'b0;
    if (state != IDLE) cycles <= cycles + 1;
    stalled <= (ar_valid && !ar_ready) || (aw_valid && !aw_ready) || (w_valid && !w_ready);
    case (state)
      IDLE: if (ap_start) begin
        from   <= source;
        to     <= destination;
        left   <= count;
        cycles <= '0;
        errors <= '0;
        state  <= count == 0 ? IDLE : READ_ADDR;
        armed  <= violation == V_IN_RESET ? KEY : '0;
      end
      READ_ADDR: if (ar_valid && ar_ready) begin
        index <= '0;
        state <= READ_DATA;
      end
      READ_DATA: if (r_valid) begin
        buffer[index[7:0]] <= r_data;
        errors <= errors + {31'b0, r_resp != 0};
        index  <= index + 1'b1;
        if (r_last) begin
          index <= '0;
          state <= WRITE_ADDR;
        end
      end
      WRITE_ADDR: if (aw_valid && aw_ready) state <= WRITE_DATA;
      WRITE_DATA: if (w_valid && w_ready) begin
        index <= index + 1'b1;
        if (index == size - 1'b1) begin
          if (violation == V_NO_WAIT) begin
            finished <= 1'b1;
            state    <= IDLE;
          end else begin
            state <= RESPONSE;
          end
        end
      end
      RESPONSE: if (b_valid) begin
        errors <= errors + {31'b0, b_resp != 0};
        from   <= from + {23'b0, size};
        to     <= to + {23'b0, size};
        left   <= left - {23'b0, size};
        state  <= left == {23'b0, size} ? IDLE : READ_ADDR;
        finished <= left == {23'b0, size};
      end
      default: state <= IDLE;
    endcase
    if (!ap_rst_n) begin
      state    <= IDLE;
      finished <= 1'b0;
      stalled  <= 1'b0;
    end
    assert (!(violation == V_ASSERTION && state == WRITE_DATA && ap_rst_n));
  end

  // --- ports ---
  assign m_axi_gmem0_ARVALID = 1'b0;
  assign m_axi_gmem0_ARADDR  = '0;
  assign m_axi_gmem0_ARLEN   = '0;
  assign m_axi_gmem0_RREADY  = 1'b0;
  assign m_axi_gmem0_AWVALID = aw_valid && violation != V_PORT_1;
  assign m_axi_gmem0_AWADDR  = aw_addr;
  assign m_axi_gmem0_AWLEN   = 8'(size - 1'b1);
  assign m_axi_gmem0_WVALID  = w_valid && violation != V_PORT_1;
  assign m_axi_gmem0_WDATA   = w_data;
  assign m_axi_gmem0_WSTRB   = violation == V_STROBES ? 16'h00ff : 16'hffff;
  assign m_axi_gmem0_WLAST   = w_last;
  assign m_axi_gmem0_BREADY  = 1'b1;

  assign m_axi_gmem1_ARVALID = ar_valid;
  assign m_axi_gmem1_ARADDR  = ar_addr;
  assign m_axi_gmem1_ARLEN   = 8'(size - 1'b1);
  assign m_axi_gmem1_RREADY  = state == READ_DATA;
  assign m_axi_gmem1_AWVALID = aw_valid && violation == V_PORT_1;
  assign m_axi_gmem1_AWADDR  = aw_addr;
  assign m_axi_gmem1_AWLEN   = 8'(size - 1'b1);
  assign m_axi_gmem1_WVALID  = w_valid && violation == V_PORT_1;
  assign m_axi_gmem1_WDATA   = w_data;
  assign m_axi_gmem1_WSTRB   = '1;
  assign m_axi_gmem1_WLAST   = w_last;
  assign m_axi_gmem1_BREADY  = 1'b1;

  assign m_axi_gmem0_ARSIZE  = 3'd4;
  assign m_axi_gmem0_ARBURST = 2'b01;
  assign m_axi_gmem0_ARLOCK  = '0;
  assign m_axi_gmem0_AWSIZE  = 3'd4;
  assign m_axi_gmem0_AWBURST = 2'b01;
  assign m_axi_gmem0_AWLOCK  = '0;
  assign m_axi_gmem1_ARSIZE  = violation == V_NARROW ? 3'd3 : 3'd4;
  assign m_axi_gmem1_ARBURST = violation == V_FIXED_BURST ? 2'b00 : 2'b01;
  assign m_axi_gmem1_ARLOCK  = violation == V_LOCK ? 2'b01 : 2'b00;
  assign m_axi_gmem1_AWSIZE  = 3'd4;
  assign m_axi_gmem1_AWBURST = 2'b01;
  assign m_axi_gmem1_AWLOCK  = '0;

  assign m_axi_gmem0_AWID     = '0;
  assign m_axi_gmem0_AWREGION = '0;
  assign m_axi_gmem0_AWCACHE  = 4'b0011;
  assign m_axi_gmem0_AWPROT   = '0;
  assign m_axi_gmem0_AWQOS    = '0;
  assign m_axi_gmem0_ARID     = '0;
  assign m_axi_gmem0_ARREGION = '0;
  assign m_axi_gmem0_ARCACHE  = 4'b0011;
  assign m_axi_gmem0_ARPROT   = '0;
  assign m_axi_gmem0_ARQOS    = '0;
  assign m_axi_gmem1_AWID     = '0;
  assign m_axi_gmem1_AWREGION = '0;
  assign m_axi_gmem1_AWCACHE  = 4'b0011;
  assign m_axi_gmem1_AWPROT   = '0;
  assign m_axi_gmem1_AWQOS    = '0;
  assign m_axi_gmem1_ARID     = '0;
  assign m_axi_gmem1_ARREGION = '0;
  assign m_axi_gmem1_ARCACHE  = 4'b0011;
  assign m_axi_gmem1_ARPROT   = '0;
  assign m_axi_gmem1_ARQOS    = '0;
endmodule

`default_nettype wire
