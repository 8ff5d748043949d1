// Which of COUNT positions along one axis are stored: base + i * step within 0 .. limit - 1.
// Combinational.
`default_nettype none

module axis_mask #(
  parameter int COUNT = 16
) (
  input  wire logic signed [21:0] base_i,
  input  wire logic [7:0]         step_i,
  input  wire logic [19:0]        limit_i,
  output logic [COUNT-1:0]        ok_o
);
  always_comb begin
    for (int i = 0; i < COUNT; i++) begin
      logic [21:0] at;
      at = base_i + 22'(i) * 22'(step_i);
      ok_o[i] = at < {2'b0, limit_i};  // unsigned: what is negative is large
    end
  end
endmodule

`default_nettype wire
