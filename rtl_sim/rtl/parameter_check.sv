// Refuses, at elaboration, parameters that no design can have (xlic/accelerator/isa.py): nothing is
// built of it.
`default_nettype none

// Icarus 11 has no $error outside of procedures: there, a module that does not exist says the same.
`ifdef __ICARUS__
`define XLIC_REFUSE(name) name``_out_of_range u_refused ();
`else
`define XLIC_REFUSE(name) $error("%s of %0d cannot be built; see xlic_isa_pkg", `"name`", name);
`endif
`define XLIC_CHOICE(name) \
  if (name < 0 || name > 31 || ((name``_CHOICES >> (name & 31)) & 1) == 0) begin : g_``name \
    `XLIC_REFUSE(name) \
  end
`define XLIC_RANGE(name) \
  if (name < name``_LEAST || name > name``_MOST) begin : g_``name \
    `XLIC_REFUSE(name) \
  end

module parameter_check
  import xlic_isa_pkg::*;
#(
  parameter int POF          = 16,
  parameter int POY          = 4,
  parameter int POX          = 16,
  parameter int INPUT_WORDS  = 1024,
  parameter int WEIGHT_WORDS = 57344,
  parameter int PARAM_WORDS  = 1024,
  parameter int PASS_WORDS   = 512,
  parameter int TAP_WORDS    = 512,
  parameter int CHANNELS     = 256
) ();
  `XLIC_CHOICE(POF)
  `XLIC_CHOICE(POY)
  `XLIC_CHOICE(POX)
  `XLIC_RANGE(INPUT_WORDS)
  `XLIC_RANGE(WEIGHT_WORDS)
  `XLIC_RANGE(PARAM_WORDS)
  `XLIC_RANGE(PASS_WORDS)
  `XLIC_RANGE(TAP_WORDS)
  `XLIC_RANGE(CHANNELS)
endmodule

`undef XLIC_RANGE
`undef XLIC_CHOICE
`undef XLIC_REFUSE
`default_nettype wire
