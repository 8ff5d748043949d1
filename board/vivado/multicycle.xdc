# Paths of the RTL that have two cycles by its state machines, read within the packaged IP. They lead
# through two chained DSPs. Only what tests/board/test_vivado.py has shown to have the time: with
# these operands a cycle late the RTL still computes the same.

# window_loader: set in CLIP, multiplied in PRODUCT, SIZE lies between; the descriptor (layer_o)
# stands still while a layer runs.
set_multicycle_path 2 -setup -from [get_cells {core/u_window/y_first_reg* core/u_window/x_first_reg* core/u_window/x_last_reg* core/u_control/layer_o_reg*}] -to [get_cells {core/u_window/row_product_reg* core/u_window/x_offset_reg* core/u_window/row_beats_reg*}]
set_multicycle_path 1 -hold -from [get_cells {core/u_window/y_first_reg* core/u_window/x_first_reg* core/u_window/x_last_reg* core/u_control/layer_o_reg*}] -to [get_cells {core/u_window/row_product_reg* core/u_window/x_offset_reg* core/u_window/row_beats_reg*}]

# store: set in WAIT, multiplied in PRODUCT; BASE and ROW lie between. Not row_product: its y is set
# in the cycle before.
set_multicycle_path 2 -setup -from [get_cells {core/u_store/base_x_reg* core/u_control/layer_o_reg*}] -to [get_cells core/u_store/x_product_reg*]
set_multicycle_path 1 -hold -from [get_cells {core/u_store/base_x_reg* core/u_control/layer_o_reg*}] -to [get_cells core/u_store/x_product_reg*]

# layer_checker: the descriptor stands still from the first of CHECK's 8 cycles on; the products and
# the two stages behind them are read in run_control's VERDICT.
set_multicycle_path 2 -setup -from [get_cells core/u_control/layer_o_reg*] -to [get_cells {core/u_layer_checker/in_rows_reg* core/u_layer_checker/in_row_reg* core/u_layer_checker/out_rows_reg* core/u_layer_checker/out_row_reg*}]
set_multicycle_path 1 -hold -from [get_cells core/u_control/layer_o_reg*] -to [get_cells {core/u_layer_checker/in_rows_reg* core/u_layer_checker/in_row_reg* core/u_layer_checker/out_rows_reg* core/u_layer_checker/out_row_reg*}]
