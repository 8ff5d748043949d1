// CRC-32 (IEEE 802.3, as zlib computes it) over a stream of 128-bit beats, byte 0 first.
// crc_o holds the CRC of all beats since clear_i; latency 1 cycle, throughput 1 beat per cycle.
`default_nettype none

module crc32 (
  input  wire logic         clk_i,
  input  wire logic         clear_i,
  input  wire logic         valid_i,
  input  wire logic [127:0] data_i,
  output logic [31:0]       crc_o
);
  localparam logic [31:0] POLY = 32'hEDB8_8320;

  logic [31:0] state;
  assign crc_o = ~state;

  // The CRC is linear: each input bit adds a constant, which is the polynomial after as many steps
  // of the shift register as bits follow. The constants fold away, a tree of XORs remains.
  function automatic logic [31:0] step(input logic [127:0] bits);
    logic [31:0] sum, term;
    sum  = '0;
    term = POLY;
    for (int i = 127; i >= 0; i--) begin
      sum  = sum ^ (term & {32{bits[i]}});
      term = (term >> 1) ^ (POLY & {32{term[0]}});
    end
    return sum;
  endfunction

  always_ff @(posedge clk_i) begin
    if (valid_i) state <= step(data_i ^ {96'b0, state});
    if (clear_i) state <= '1;
  end
endmodule

`default_nettype wire
