// POF x POY x POX multiply-accumulators, one DSP48E2 each: 17 x 16 bit, 48-bit accumulator.
// Every position's operand meets every lane's weight. Sums stay where they are until last_i, then
// they are copied to a shadow that is read row by row while the next ones grow.
// Latency from operands to shadow 5 cycles (operand, input, product, sum, shadow); one operand per
// cycle. A read of the shadow takes 1 cycle.
`default_nettype none

// Icarus Verilog has no assignment of whole arrays; Verilator simulates a loop 10 times slower.
`ifdef __ICARUS__
`define XLIC_COPY(to, from, count) for (int i_ = 0; i_ < (count); i_++) to[i_] <= from[i_]
`else
`define XLIC_COPY(to, from, count) to <= from
`endif

module mac_array #(
  parameter int POF = 16,
  parameter int POY = 4,
  parameter int POX = 16
) (
  input  wire logic                       clk_i,
  input  wire logic                       rst_i,
  // Operands; the flags come with them.
  input  wire logic                       valid_i,
  input  wire logic                       first_i,
  input  wire logic                       last_i,
  input  wire logic                       gamma_i,      // take the held magnitudes, not the window
  input  wire logic [POY*POX*16-1:0]      window_i,     // signed
  input  wire logic [POY*POX*16-1:0]      magnitude_i,  // unsigned
  input  wire logic [POF*16-1:0]          weight_i,     // one cycle after the operands
  output logic                            capture_o,    // the shadow holds new sums
  // Shadow.
  input  wire logic                       read_i,
  input  wire logic [$clog2(POF)-1:0]     lane_i,
  input  wire logic [$clog2(POY)-1:0]     row_i,
  output logic [POX*48-1:0]               sums_o
);
  localparam int P = POY * POX;

  logic signed [16:0] operand [P], operand_d [P], a [P];
  logic signed [15:0] b [POF], b_d [POF];
  logic signed [31:0] product [POF*P], product_d [POF*P];
  logic signed [47:0] sum [POF*P], sum_d [POF*P], shadow [POF*P];
  // Each steers a thousand accumulators: copies near to them, a tree of registers instead of a net.
  (* max_fanout = 64 *) logic [2:0] valid, first;  // of: operand, input, product
  (* max_fanout = 64 *) logic [3:0] last;          // of: operand, input, product, sum

  always_comb begin
    for (int p = 0; p < P; p++) begin
      operand_d[p] = gamma_i ? {1'b0, magnitude_i[p*16 +: 16]}
                             : {window_i[p*16+15], window_i[p*16 +: 16]};
    end
  end
  always_comb begin
    for (int o = 0; o < POF; o++) b_d[o] = weight_i[o*16 +: 16];
  end
  // |operand| <= 2^15 and |weight| <= 2^15: 32 bits hold every product.
  always_comb begin
    for (int o = 0; o < POF; o++) begin
      for (int p = 0; p < P; p++) product_d[o*P+p] = 32'(a[p] * b[o]);
    end
  end
  always_comb begin
    for (int o = 0; o < POF; o++) begin
      for (int p = 0; p < P; p++) begin
        sum_d[o*P+p] = (first[2] ? 48'sd0 : sum[o*P+p]) + 48'(product[o*P+p]);
      end
    end
  end

  always_ff @(posedge clk_i) begin
    valid <= {valid[1:0], valid_i};
    first <= {first[1:0], first_i};
    last  <= {last[2:0], last_i && valid_i};
    if (valid_i) `XLIC_COPY(operand, operand_d, P);
    `XLIC_COPY(a, operand, P);
    `XLIC_COPY(b, b_d, POF);
    `XLIC_COPY(product, product_d, POF * P);
    if (valid[2]) `XLIC_COPY(sum, sum_d, POF * P);
    if (last[3]) `XLIC_COPY(shadow, sum, POF * P);
    capture_o <= last[3];
    if (read_i) begin
      for (int x = 0; x < POX; x++) begin
        sums_o[x*48 +: 48] <= shadow[(int'(lane_i) * POY + int'(row_i)) * POX + x];
      end
    end
    if (rst_i) begin
      valid     <= '0;
      last      <= '0;
      capture_o <= 1'b0;
    end
  end
endmodule

`undef XLIC_COPY
`default_nettype wire
