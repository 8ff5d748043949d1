# Builds the ZCU102's design: processor, accelerator, two high-performance ports, one interrupt.
#
#   vivado -mode batch -source board/vivado/block_design.tcl -tclargs BUILD [VLNV] [IP_REPOSITORY]
#
# NOT RUN YET: the project's tests have no Vivado. VLNV is xlic:rtl:xlic_accel:1.0 (package_ip.tcl)
# by default, or xlic:hls:xlic_accel:1.0 with the folder of the HLS export.

set here [file dirname [file normalize [info script]]]
source $here/parameters.tcl
lassign $argv build vlnv repository
if {$vlnv eq ""} { set vlnv xlic:rtl:xlic_accel:1.0 }
if {$repository eq ""} { set repository $build/ip }

create_project -force -part $xlic_part zcu102 $build/zcu102
set_property board_part [lindex [lsort [get_board_parts $xlic_board_part]] end] [current_project]
set_property ip_repo_paths $repository [current_project]
update_ip_catalog

create_bd_design system
set ps [create_bd_cell -type ip -vlnv xilinx.com:ip:zynq_ultra_ps_e ps]
apply_bd_automation -rule xilinx.com:bd_rule:zynq_ultra_ps_e -config {apply_board_preset 1} $ps
# HP0 and HP1 are S_AXI_GP2 and S_AXI_GP3 in the IP's own counting.
set_property -dict [list \
    CONFIG.PSU__USE__M_AXI_GP0 1 CONFIG.PSU__MAXIGP0__DATA_WIDTH 32 \
    CONFIG.PSU__USE__M_AXI_GP1 0 CONFIG.PSU__USE__M_AXI_GP2 0 \
    CONFIG.PSU__USE__S_AXI_GP2 1 CONFIG.PSU__SAXIGP2__DATA_WIDTH $xlic_data_bits \
    CONFIG.PSU__USE__S_AXI_GP3 1 CONFIG.PSU__SAXIGP3__DATA_WIDTH $xlic_data_bits \
    CONFIG.PSU__USE__IRQ0 1 \
    CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ $xlic_clock_mhz \
] $ps

set accelerator [create_bd_cell -type ip -vlnv $vlnv accelerator]
set reset [create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset reset]
set control [create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect control]
set_property -dict {CONFIG.NUM_SI 1 CONFIG.NUM_MI 1} $control
foreach port {0 1} {
    set memory$port [create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect memory$port]
    set_property -dict {CONFIG.NUM_SI 1 CONFIG.NUM_MI 1} [set memory$port]
}

set clock [get_bd_pins ps/pl_clk0]
foreach pin {
    ps/maxihpm0_fpd_aclk ps/saxihp0_fpd_aclk ps/saxihp1_fpd_aclk accelerator/ap_clk
    reset/slowest_sync_clk control/aclk memory0/aclk memory1/aclk
} { connect_bd_net $clock [get_bd_pins $pin] }
connect_bd_net [get_bd_pins ps/pl_resetn0] [get_bd_pins reset/ext_reset_in]
foreach pin {accelerator/ap_rst_n control/aresetn memory0/aresetn memory1/aresetn} {
    connect_bd_net [get_bd_pins reset/peripheral_aresetn] [get_bd_pins $pin]
}
connect_bd_intf_net [get_bd_intf_pins ps/M_AXI_HPM0_FPD] [get_bd_intf_pins control/S00_AXI]
connect_bd_intf_net [get_bd_intf_pins control/M00_AXI] \
    [get_bd_intf_pins accelerator/s_axi_control]
foreach port {0 1} {
    connect_bd_intf_net [get_bd_intf_pins accelerator/m_axi_gmem$port] \
        [get_bd_intf_pins memory$port/S00_AXI]
    connect_bd_intf_net [get_bd_intf_pins memory$port/M00_AXI] \
        [get_bd_intf_pins ps/S_AXI_HP${port}_FPD]
}
connect_bd_net [get_bd_pins accelerator/interrupt] [get_bd_pins ps/pl_ps_irq0]

assign_bd_address
set segment [get_bd_addr_segs -of_objects [get_bd_addr_spaces ps/Data] -filter {NAME =~ *accelerator*}]
set_property offset $xlic_register_address $segment
set_property range $xlic_register_bytes $segment
validate_bd_design
save_bd_design

make_wrapper -files [get_files system.bd] -top -import
set_property top system_wrapper [current_fileset]
set_property strategy Performance_ExplorePostRoutePhysOpt [get_runs impl_1]
launch_runs impl_1 -to_step write_bitstream -jobs 4
wait_on_run impl_1
if {[get_property PROGRESS [get_runs impl_1]] ne "100%"} { error "the implementation failed" }
open_run impl_1
report_timing_summary -file $build/timing.txt
report_utilization -hierarchical -file $build/utilization.txt
set slack [get_property SLACK [get_timing_paths -max_paths 1]]
if {$slack < 0} { error "timing is not met at $xlic_clock_mhz MHz: $slack ns" }
set bit [get_property DIRECTORY [get_runs impl_1]]/system_wrapper.bit
file copy -force $bit $build/xlic.bit
# What Linux's FPGA manager takes; `xlic board run --bitstream` converts a .bit by itself too.
write_cfgmem -force -format BIN -interface SMAPx32 -disablebitswap -loadbit "up 0x0 $bit" \
    $build/xlic.bin
