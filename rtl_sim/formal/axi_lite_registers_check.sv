// axi_lite_registers: each accepted pair of address and data is one write with just these, each
// accepted address one read, each of them answered once, whatever the master's order and stalls.
// The master keeps AXI's rules; after that, nothing is asked of it but to take its answers.
`default_nettype none

module axi_lite_registers_check #(
  parameter int ADDR = 4
) (
  input wire logic            clk_i,
  input wire logic            rst_i,
  input wire logic            awvalid_i,
  input wire logic [ADDR-1:0] awaddr_i,
  input wire logic            wvalid_i,
  input wire logic [31:0]     wdata_i,
  input wire logic [3:0]      wstrb_i,
  input wire logic            bready_i,
  input wire logic            arvalid_i,
  input wire logic [ADDR-1:0] araddr_i,
  input wire logic            rready_i,
  input wire logic [31:0]     read_data_i
);
  logic awready, wready, bvalid, arready, rvalid, write, read;
  logic [ADDR-1:0] write_addr, read_addr;
  logic [31:0] rdata, write_data;
  logic [3:0] write_strb;
  axi_lite_registers #(.ADDR(ADDR)) dut (
    .clk_i, .rst_i, .awvalid_i, .awready_o(awready), .awaddr_i, .wvalid_i, .wready_o(wready),
    .wdata_i, .wstrb_i, .bvalid_o(bvalid), .bready_i, .arvalid_i, .arready_o(arready), .araddr_i,
    .rvalid_o(rvalid), .rready_i, .rdata_o(rdata), .write_o(write), .write_addr_o(write_addr),
    .write_data_o(write_data), .write_strb_o(write_strb), .read_o(read), .read_addr_o(read_addr),
    .read_data_i
  );

  logic started = 1'b0, was_reset = 1'b1;
  logic aw_waits, w_waits, ar_waits, b_waits, r_waits;     // offered and not taken
  logic aw_due, w_due, b_due, ar_due, r_due, addr_stands;  // taken and not followed up
  logic [ADDR-1:0] awaddr, waiting_awaddr, araddr, waiting_araddr;
  logic [35:0] data, waiting_data;
  logic [31:0] answer;
  logic [2:0] waiting;  // cycles that an accepted read has waited
  always_ff @(posedge clk_i) begin
    started        <= 1'b1;
    was_reset      <= rst_i;
    aw_waits       <= awvalid_i && !awready;
    w_waits        <= wvalid_i && !wready;
    ar_waits       <= arvalid_i && !arready;
    b_waits        <= bvalid && !bready_i;
    r_waits        <= rvalid && !rready_i;
    waiting_awaddr <= awaddr_i;
    waiting_data   <= {wstrb_i, wdata_i};
    waiting_araddr <= araddr_i;
    addr_stands    <= ar_due;
    waiting        <= ar_due && !read ? waiting + 1'b1 : '0;
    if (write) {aw_due, w_due, b_due} <= 3'b001;
    if (bvalid && bready_i) b_due <= 1'b0;
    if (read) {ar_due, r_due, answer} <= {2'b01, read_data_i};
    if (rvalid && rready_i) r_due <= 1'b0;
    if (awvalid_i && awready) {aw_due, awaddr} <= {1'b1, awaddr_i};
    if (wvalid_i && wready) {w_due, data} <= {1'b1, wstrb_i, wdata_i};
    if (arvalid_i && arready) {ar_due, araddr} <= {1'b1, araddr_i};
    if (rst_i) {aw_due, w_due, b_due, ar_due, r_due, addr_stands, waiting} <= '0;
  end

  always_comb begin
    if (!started) assume (rst_i);
    if (!was_reset) begin
      if (aw_waits) assume (awvalid_i && awaddr_i == waiting_awaddr);
      if (w_waits) assume (wvalid_i && {wstrb_i, wdata_i} == waiting_data);
      if (ar_waits) assume (arvalid_i && araddr_i == waiting_araddr);
    end
  end
  always_comb if (started) begin
    // Writes. Nothing is taken twice before it has been used.
    write_has_pair: assert (write == (aw_due && w_due && !b_due));
    if (write) write_exact: assert (write_addr == awaddr && {write_strb, write_data} == data);
    write_answered: assert (bvalid == b_due);
    one_address: assert (awready == !(aw_due || b_due));
    one_data:    assert (wready == !(w_due || b_due));
    // Reads. The register file may answer a cycle after the address.
    if (read) read_exact: assert (ar_due && !r_due && addr_stands && read_addr == araddr);
    read_answered: assert (rvalid == r_due);
    if (rvalid) read_data: assert (rdata == answer);
    one_read: assert (arready == !(ar_due || r_due));
    // A read follows its address within two cycles; nothing else is waited for.
    if (ar_due) prompt: assert (waiting <= 1 && (waiting == 0 || read));
    if (!was_reset) begin
      if (b_waits) b_stable: assert (bvalid);
      if (r_waits) r_stable: assert (rvalid);
    end
    i_state: assert (dut.have_addr == aw_due && dut.have_data == w_due && dut.have_read == ar_due);
    i_exclusive: assert (!(ar_due && r_due) && !(b_due && aw_due && w_due));
    if (ar_due) begin
      i_read: assert (read_addr == araddr && dut.read_due == addr_stands
                      && waiting == 3'(addr_stands));
    end
    if (aw_due) i_addr: assert (write_addr == awaddr);
    if (w_due) i_data: assert ({write_strb, write_data} == data);
    if (r_due) i_answer: assert (rdata == answer);

    c_data_first: cover (write && awaddr == 5 && addr_stands);
    c_both_answered: cover (bvalid && bready_i && rvalid && rready_i && answer == data[31:0]);
    c_waits: cover (b_waits && aw_waits && w_waits && r_waits && ar_waits);
  end
endmodule

`default_nettype wire
