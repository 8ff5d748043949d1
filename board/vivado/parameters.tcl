# Written by `python -m xlic.board.vivado` from xlic/board/vivado.py: change that.
set xlic_part {xczu9eg-ffvb1156-2-e}
set xlic_board_part {xilinx.com:zcu102:part0:*}
set xlic_vlnv {xlic:rtl:xlic_accel:1.0}
set xlic_top {xlic_accel_ip}
set xlic_clock_mhz {200}
set xlic_register_address {0xa0000000}
set xlic_register_bytes {0x1000}
set xlic_data_bits {128}
# The accelerator's memory ports, to the processor's HP ports.
set xlic_memory_ports [dict create \
    m_axi_gmem0 0 \
    m_axi_gmem1 1 \
]
# The accelerator's interfaces, and the ports of each.
set xlic_interfaces [dict create \
    ap_clk {
        CLK
    } \
    ap_rst_n {
        RST
    } \
    interrupt {
        INTERRUPT
    } \
    s_axi_control {
        AWVALID AWREADY AWADDR WVALID WREADY WDATA WSTRB BVALID BREADY BRESP ARVALID ARREADY
        ARADDR RVALID RREADY RDATA RRESP
    } \
    m_axi_gmem0 {
        AWVALID AWREADY AWADDR AWID AWLEN AWSIZE AWBURST AWLOCK AWREGION AWCACHE AWPROT AWQOS
        WVALID WREADY WDATA WSTRB WLAST ARVALID ARREADY ARADDR ARID ARLEN ARSIZE ARBURST ARLOCK
        ARREGION ARCACHE ARPROT ARQOS RVALID RREADY RDATA RLAST RID RRESP BVALID BREADY BRESP
        BID
    } \
    m_axi_gmem1 {
        AWVALID AWREADY AWADDR AWID AWLEN AWSIZE AWBURST AWLOCK AWREGION AWCACHE AWPROT AWQOS
        WVALID WREADY WDATA WSTRB WLAST ARVALID ARREADY ARADDR ARID ARLEN ARSIZE ARBURST ARLOCK
        ARREGION ARCACHE ARPROT ARQOS RVALID RREADY RDATA RLAST RID RRESP BVALID BREADY BRESP
        BID
    } \
]
set xlic_design [dict create \
    POF 16 \
    POY 4 \
    POX 16 \
    INPUT_WORDS 1024 \
    WEIGHT_WORDS 57344 \
    PARAM_WORDS 1024 \
    PASS_WORDS 512 \
    TAP_WORDS 512 \
    CHANNELS 256 \
]
