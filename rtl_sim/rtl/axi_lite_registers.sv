// Register file with an AXI4-Lite port, 32 bit: turns bus accesses into single-cycle reads and
// writes. One access of each direction at a time. read_data_i may come a cycle after the address.
`default_nettype none

module axi_lite_registers #(
  parameter int ADDR = 12
) (
  input  wire logic            clk_i,
  input  wire logic            rst_i,
  input  wire logic            awvalid_i,
  output logic                 awready_o,
  input  wire logic [ADDR-1:0] awaddr_i,
  input  wire logic            wvalid_i,
  output logic                 wready_o,
  input  wire logic [31:0]     wdata_i,
  input  wire logic [3:0]      wstrb_i,
  output logic                 bvalid_o,
  input  wire logic            bready_i,
  input  wire logic            arvalid_i,
  output logic                 arready_o,
  input  wire logic [ADDR-1:0] araddr_i,
  output logic                 rvalid_o,
  input  wire logic            rready_i,
  output logic [31:0]          rdata_o,

  output logic                 write_o,       // in this cycle
  output logic [ADDR-1:0]      write_addr_o,
  output logic [31:0]          write_data_o,
  output logic [3:0]           write_strb_o,
  output logic                 read_o,        // read_data_i is taken in this cycle
  output logic [ADDR-1:0]      read_addr_o,
  input  wire logic [31:0]     read_data_i
);
  logic have_addr, have_data, have_read, read_due;

  assign awready_o = !have_addr && !bvalid_o;
  assign wready_o  = !have_data && !bvalid_o;
  assign write_o   = have_addr && have_data && !bvalid_o;
  assign arready_o = !have_read && !rvalid_o;
  assign read_o    = have_read && read_due && !rvalid_o;

  always_ff @(posedge clk_i) begin
    if (awvalid_i && awready_o) begin
      have_addr    <= 1'b1;
      write_addr_o <= awaddr_i;
    end
    if (wvalid_i && wready_o) begin
      have_data    <= 1'b1;
      write_data_o <= wdata_i;
      write_strb_o <= wstrb_i;
    end
    if (write_o) begin
      have_addr <= 1'b0;
      have_data <= 1'b0;
      bvalid_o  <= 1'b1;
    end
    if (bvalid_o && bready_i) bvalid_o <= 1'b0;

    if (arvalid_i && arready_o) begin
      have_read   <= 1'b1;
      read_addr_o <= araddr_i;
    end
    read_due <= have_read && !read_o;
    if (read_o) begin
      have_read <= 1'b0;
      rvalid_o  <= 1'b1;
      rdata_o   <= read_data_i;
    end
    if (rvalid_o && rready_i) rvalid_o <= 1'b0;

    if (rst_i) begin
      have_addr <= 1'b0;
      have_data <= 1'b0;
      have_read <= 1'b0;
      bvalid_o  <= 1'b0;
      rvalid_o  <= 1'b0;
    end
  end
endmodule

`default_nettype wire
