# Written by `python -m xlic.board.vivado` from xlic/board/vivado.py: change that.
set xlic_part {xczu9eg-ffvb1156-2-e}
set xlic_board_part {xilinx.com:zcu102:part0:*}
set xlic_top {xlic_accel}
set xlic_clock_mhz {200}
set xlic_register_address {0xa0000000}
set xlic_register_bytes {0x1000}
set xlic_interface_version {1}
set xlic_data_bits {128}
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
