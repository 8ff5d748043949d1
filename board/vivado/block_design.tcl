# Builds the ZCU102's design: processor, accelerator, its memory ports on high-performance ports,
# interrupt, clock; and the bitstream, if it meets timing.
#
#   vivado -mode batch -source board/vivado/block_design.tcl -tclargs BUILD [VLNV IP_REPOSITORY]
#
# NOT RUN YET: the project's tests have no Vivado. The IP is that of package_ip.tcl by default;
# of the HLS export: xlic:hls:xlic_accel:1.0 hls/build/zcu102/impl/ip.

set here [file dirname [file normalize [info script]]]
source $here/parameters.tcl
lassign $argv build vlnv repository
if {$build eq ""} { error "usage: -tclargs BUILD \[VLNV IP_REPOSITORY\]" }
set build [file normalize $build]
if {$vlnv eq ""} { set vlnv $xlic_vlnv }
if {$repository eq ""} { set repository $build/ip }
file delete -force $build/xlic.bit $build/xlic.bin $build/xlic.xsa

create_project -force -part $xlic_part zcu102 $build/zcu102
set boards [lsort -dictionary [get_board_parts $xlic_board_part]]
if {$boards eq ""} { error "this Vivado has no board files of the ZCU102" }
set_property board_part [lindex $boards end] [current_project]
set_property ip_repo_paths [file normalize $repository] [current_project]
update_ip_catalog

# ---- processor. HPn is S_AXI_GP(n+2) to the IP; 128 bits are the width of all ports after reset.
create_bd_design system
set ps [create_bd_cell -type ip -vlnv xilinx.com:ip:zynq_ultra_ps_e ps]
apply_bd_automation -rule xilinx.com:bd_rule:zynq_ultra_ps_e -config {apply_board_preset "1"} $ps
set settings [list \
    CONFIG.PSU__USE__M_AXI_GP0 1 CONFIG.PSU__MAXIGP0__DATA_WIDTH $xlic_data_bits \
    CONFIG.PSU__USE__M_AXI_GP1 0 CONFIG.PSU__USE__M_AXI_GP2 0 \
    CONFIG.PSU__USE__IRQ0 1 \
    CONFIG.PSU__USE__FABRIC__RST 1 \
    CONFIG.PSU__FPGA_PL0_ENABLE 1 \
    CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ $xlic_clock_mhz \
]
dict for {port hp} $xlic_memory_ports {
    set gp [expr {$hp + 2}]
    lappend settings CONFIG.PSU__USE__S_AXI_GP$gp 1 CONFIG.PSU__SAXIGP${gp}__DATA_WIDTH $xlic_data_bits
}
set_property -dict $settings $ps

# ---- accelerator
set accelerator [create_bd_cell -type ip -vlnv $vlnv accelerator]
if {$vlnv eq $xlic_vlnv} {
    set settings {}
    dict for {name value} $xlic_design { lappend settings CONFIG.$name $value }
    set_property -dict $settings $accelerator
}

# ---- clock, reset, buses. A SmartConnect each: they adapt addresses, identifiers and widths.
set clocked {ps/maxihpm0_fpd_aclk accelerator/ap_clk reset/slowest_sync_clk control/aclk}
set cleared {accelerator/ap_rst_n control/aresetn}
create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset reset
set_property -dict {CONFIG.NUM_SI 1 CONFIG.NUM_MI 1} \
    [create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect control]
connect_bd_intf_net [get_bd_intf_pins ps/M_AXI_HPM0_FPD] [get_bd_intf_pins control/S00_AXI]
connect_bd_intf_net [get_bd_intf_pins control/M00_AXI] [get_bd_intf_pins accelerator/s_axi_control]
dict for {port hp} $xlic_memory_ports {
    set_property -dict {CONFIG.NUM_SI 1 CONFIG.NUM_MI 1} \
        [create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect memory$hp]
    connect_bd_intf_net [get_bd_intf_pins accelerator/$port] [get_bd_intf_pins memory$hp/S00_AXI]
    connect_bd_intf_net [get_bd_intf_pins memory$hp/M00_AXI] \
        [get_bd_intf_pins ps/S_AXI_HP${hp}_FPD]
    lappend clocked ps/saxihp${hp}_fpd_aclk memory$hp/aclk
    lappend cleared memory$hp/aresetn
}
foreach pin $clocked { connect_bd_net [get_bd_pins ps/pl_clk0] [get_bd_pins $pin] }
connect_bd_net [get_bd_pins ps/pl_resetn0] [get_bd_pins reset/ext_reset_in]
foreach pin $cleared { connect_bd_net [get_bd_pins reset/peripheral_aresetn] [get_bd_pins $pin] }
connect_bd_net [get_bd_pins accelerator/interrupt] [get_bd_pins ps/pl_ps_irq0]

# ---- addresses. Of what a memory port could reach it gets the lower 2 GB of DDR, where u-dma-buf
# allocates; an access elsewhere is answered with an error.
assign_bd_address -offset $xlic_register_address -range $xlic_register_bytes \
    -target_address_space [get_bd_addr_spaces ps/Data] \
    [get_bd_addr_segs -of_objects [get_bd_intf_pins accelerator/s_axi_control]]
dict for {port hp} $xlic_memory_ports {
    set space [get_bd_addr_spaces -of_objects [get_bd_intf_pins accelerator/$port]]
    set memory 0
    foreach segment [get_bd_addr_segs ps/SAXIGP[expr {$hp + 2}]/*] {
        if {[string match */HP${hp}_DDR_LOW $segment]} {
            assign_bd_address -target_address_space $space $segment
            incr memory
        } else {
            exclude_bd_addr_seg -target_address_space $space $segment
        }
    }
    if {$memory != 1} { error "the processor has no HP${hp}_DDR_LOW for $port" }
}
validate_bd_design
save_bd_design

set hertz [get_property CONFIG.FREQ_HZ [get_bd_pins ps/pl_clk0]]
if {abs($hertz / 1e6 / $xlic_clock_mhz - 1) > 0.005} {
    error "the processor's PLLs make $hertz Hz of $xlic_clock_mhz MHz"
}

# ---- implementation. Synthesized as a whole, so that the accelerator is with its clock.
set_property synth_checkpoint_mode None [get_files system.bd]
generate_target all [get_files system.bd]
make_wrapper -files [get_files system.bd] -top -import
set_property top system_wrapper [current_fileset]
update_compile_order -fileset sources_1
set_property strategy Performance_ExplorePostRoutePhysOpt [get_runs impl_1]
foreach run {synth_1 impl_1} {
    launch_runs $run -jobs 4
    wait_on_run $run
    if {[get_property PROGRESS [get_runs $run]] ne "100%"} { error "$run failed; see its log" }
}
open_run impl_1
report_timing_summary -file $build/timing.txt
report_exceptions -file $build/exceptions.txt
report_utilization -hierarchical -file $build/utilization.txt
foreach check {setup hold} {
    set slack [get_property SLACK [get_timing_paths -$check -max_paths 1]]
    if {![string is double -strict $slack] || $slack < 0} {
        error "$check at $xlic_clock_mhz MHz: slack '$slack' ns, no bitstream; see $build/timing.txt"
    }
}

write_bitstream -force $build/xlic.bit
# For the kernel's FPGA manager: no header, bytes of each word turned around.
write_cfgmem -force -format BIN -size 32 -interface SMAPx32 -disablebitswap \
    -loadbit "up 0x0 $build/xlic.bit" $build/xlic.bin
# For the boot loader: clocks, port widths and resets of this design.
write_hw_platform -fixed -force $build/xlic.xsa
