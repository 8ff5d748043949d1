# Packages the accelerator's RTL as an IP.
#
#   vivado -mode batch -source board/vivado/package_ip.tcl -tclargs BUILD SOURCE_HASH
#
# NOT RUN YET: the project's tests have no Vivado. SOURCE_HASH is what
# `python -c "from xlic.accelerator.sources import *; print(f'{source_hash(rtl_sources()):016x}')"`
# prints; the identity registers show it, and xlic refuses hardware that shows another.

set here [file dirname [file normalize [info script]]]
source $here/parameters.tcl
lassign $argv build hash
if {![regexp {^[0-9a-f]{16}$} $hash]} { error "SOURCE_HASH must be 16 hexadecimal digits" }
set rtl [file normalize $here/../../rtl_sim/rtl]

create_project -force -part $xlic_part package $build/package
add_files [glob $rtl/*.sv]
# Block designs take no SystemVerilog top: a wrapper in Verilog with the same ports would be needed
# in a module reference; a packaged IP does without.
set_property top $xlic_top [current_fileset]
update_compile_order -fileset sources_1

ipx::package_project -root_dir $build/ip -vendor xlic -library rtl -taxonomy /UserIP \
    -import_files -force
set core [ipx::current_core]
set_property name xlic_accel $core
set_property version 1.0 $core
set_property supported_families {zynquplus Production} $core

dict for {name value} $xlic_design {
    set parameter [ipx::get_user_parameters $name -of_objects $core]
    if {$parameter eq ""} { error "the RTL has no parameter $name" }
    set_property value $value $parameter
    set_property value $value [ipx::get_hdl_parameters $name -of_objects $core]
}
set_property value "0x$hash" [ipx::get_user_parameters SOURCE_HASH -of_objects $core]
set_property value "0x$hash" [ipx::get_hdl_parameters SOURCE_HASH -of_objects $core]

foreach name {s_axi_control m_axi_gmem0 m_axi_gmem1} {
    if {[ipx::get_bus_interfaces $name -of_objects $core] eq ""} { error "no interface $name found" }
    ipx::associate_bus_interfaces -busif $name -clock ap_clk $core
}
if {[ipx::get_bus_interfaces interrupt -of_objects $core] eq ""} {
    ipx::infer_bus_interface interrupt xilinx.com:signal:interrupt_rtl:1.0 $core
}
ipx::update_checksums $core
ipx::check_integrity $core
ipx::save_core $core
close_project
