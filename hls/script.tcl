# Vitis HLS (2020.1 or later): test bench in C, synthesis, IP for Vivado.
#
#   python -m xlic.accelerator.vectors hls/vectors      (once, in the project's folder)
#   cd hls && XLIC_HASH=$(python -m xlic.board.vivado --hash hls) vitis_hls -f script.tcl
#
# XLIC_HASH is the hash of these sources, which the accelerator tells the host.
#
# NOT RUN YET: the project's tests compile the same sources with g++ and have no Vitis. Timing,
# resources and the achieved initiation intervals are unknown until somebody runs this.

set here [file dirname [file normalize [info script]]]
if {![info exists env(XLIC_HASH)] || ![regexp {^[0-9a-f]{16}$} $env(XLIC_HASH)]} {
    error "set XLIC_HASH to what `python -m xlic.board.vivado --hash hls` prints"
}
set flags "-std=c++14 -I$here"
append flags " -DXLIC_HASH_HIGH=0x[string range $env(XLIC_HASH) 0 7]"
append flags " -DXLIC_HASH_LOW=0x[string range $env(XLIC_HASH) 8 15]"
# Another design: append e.g. " -DXLIC_POF=4 -DXLIC_POY=2 -DXLIC_POX=8 -DXLIC_WEIGHT_WORDS=16384".

open_project -reset build
set_top xlic_accel
foreach source [lsort [glob $here/xlic_*.cpp]] {
    add_files $source -cflags $flags
}
add_files -tb $here/tb_xlic.cpp -cflags $flags

open_solution -reset -flow_target vivado zcu102
set_part xczu9eg-ffvb1156-2-e
create_clock -period 5 -name default

foreach name {encode decode limits_encode limits_decode} {
    lappend prefixes $here/vectors/$name
}
csim_design -argv [join $prefixes]
csynth_design
export_design -format ip_catalog -vendor xlic -library hls -ipname xlic_accel -version 1.0
exit
