# Packages the accelerator's RTL as an IP in BUILD/ip.
#
#   vivado -mode batch -source board/vivado/package_ip.tcl -tclargs BUILD SOURCE_HASH
#
# NOT RUN YET: the project's tests have no Vivado. SOURCE_HASH is what
# `python -m xlic.board.vivado --hash` prints; the identity registers show it, and xlic refuses
# hardware that shows another.

set here [file dirname [file normalize [info script]]]
source $here/parameters.tcl
lassign $argv build hash
if {![regexp {^[0-9a-f]{16}$} $hash]} { error "SOURCE_HASH must be 16 hexadecimal digits" }
set build [file normalize $build]
file mkdir $build

# The hash goes in as text: no doubt then how the packager writes a parameter of 64 bits.
set file [open $here/$xlic_top.v]
set text [read $file]
close $file
if {[regsub -all {64'h0{16}} $text "64'h$hash" text] != 1} { error "$xlic_top.v has no place for it" }
set file [open $build/$xlic_top.v w]
puts -nonewline $file $text
close $file

create_project -force -part $xlic_part package $build/package
add_files -norecurse [glob $here/../../rtl_sim/rtl/*.sv]
add_files -norecurse $build/$xlic_top.v
add_files -norecurse -fileset constrs_1 $here/multicycle.xdc
set_property top $xlic_top [current_fileset]
update_compile_order -fileset sources_1

lassign [split $xlic_vlnv :] vendor library name version
ipx::package_project -root_dir $build/ip -vendor $vendor -library $library -taxonomy /UserIP \
    -import_files -force
set core [ipx::current_core]
set_property name $name $core
set_property version $version $core
set_property supported_families {zynquplus Production} $core

# The attributes in the Verilog made the interfaces. One that lacks a port, a register map or an
# address space would only be missed much later.
dict for {name ports} $xlic_interfaces {
    set interface [ipx::get_bus_interfaces $name -of_objects $core]
    if {$interface eq ""} { error "the packager found no interface $name" }
    foreach port $ports {
        if {[ipx::get_port_maps $port -of_objects $interface] eq ""} { error "$name lacks $port" }
    }
}
if {[ipx::get_memory_maps s_axi_control -of_objects $core] eq ""} { error "no register map" }
dict for {port hp} $xlic_memory_ports {
    if {[ipx::get_address_spaces $port -of_objects $core] eq ""} { error "$port: no address space" }
}
ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::check_integrity $core
ipx::save_core $core
close_project
