// axis_mask: position i is stored if and only if 0 <= base + i * step < limit, in whole numbers: no
// base, step or limit wraps. Combinational, hence proven for all inputs.
`default_nettype none

module axis_mask_check #(
  parameter int COUNT = 16
) (
  input wire logic signed [21:0] base_i,
  input wire logic [7:0]         step_i,
  input wire logic [19:0]        limit_i
);
  logic [COUNT-1:0] ok;
  axis_mask #(.COUNT(COUNT)) dut (.base_i, .step_i, .limit_i, .ok_o(ok));

  logic signed [23:0] at [COUNT];
  always_comb begin
    for (int i = 0; i < COUNT; i++) begin
      at[i] = 24'(base_i) + 24'(i) * $signed({16'b0, step_i});
      assert (ok[i] == (at[i] >= 0 && at[i] < $signed({4'b0, limit_i})));
    end
    c_middle: cover (ok == 16'h07F0 && step_i == 4);
    c_all: cover (&ok && step_i == 255);
  end
endmodule

`default_nettype wire
