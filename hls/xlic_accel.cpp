#include "xlic_accel.hpp"

#include "xlic_check.hpp"
#include "xlic_layer.hpp"
#include "xlic_program.hpp"

// What this description of the machine knows of time is the cycles in which the array multiplies:
// CYCLES and ACTIVE are both that number, the waits are 0. The RTL counts the real ones.

void xlic_identity(std::uint32_t info[xlic::isa::INFO_WORDS]) {
#pragma HLS INLINE
  using namespace xlic;
identity:
  for (std::uint32_t word = 0; word < isa::INFO_WORDS; ++word) info[word] = 0;
  info[isa::INFO_MAGIC] = isa::MAGIC;
  info[isa::INFO_VERSION] = isa::INTERFACE_VERSION;
  info[isa::INFO_ARRAY] = ARRAY;
  info[isa::INFO_HASH_LOW] = XLIC_HASH_LOW;
  info[isa::INFO_HASH_HIGH] = XLIC_HASH_HIGH;
  info[isa::INFO_INPUT_WORDS] = INPUT_WORDS;
  info[isa::INFO_WEIGHT_WORDS] = WEIGHT_WORDS;
  info[isa::INFO_PARAM_WORDS] = PARAM_WORDS;
  info[isa::INFO_PASS_WORDS] = PASS_WORDS;
  info[isa::INFO_TAP_WORDS] = TAP_WORDS;
  info[isa::INFO_CHANNELS] = CHANNELS;
  info[isa::INFO_LAYERS] = isa::MAX_LAYERS;
}

void xlic_accel(xlic::beat_t* gmem0, const xlic::beat_t* gmem1, std::uint32_t window_beats,
                std::uint32_t program, std::uint32_t info[xlic::isa::INFO_WORDS],
                std::uint32_t counters[xlic::isa::MAX_LAYERS * xlic::isa::COUNTER_WORDS]) {
#pragma HLS INTERFACE m_axi port = gmem0 offset = slave bundle = gmem0 depth = 262144 \
    max_read_burst_length = 64 max_write_burst_length = 64
#pragma HLS INTERFACE m_axi port = gmem1 offset = slave bundle = gmem1 depth = 262144 \
    max_read_burst_length = 256
#pragma HLS INTERFACE s_axilite port = gmem0 bundle = control offset = 0x10
#pragma HLS INTERFACE s_axilite port = gmem1 bundle = control offset = 0x1c
#pragma HLS INTERFACE s_axilite port = window_beats bundle = control offset = 0x28
#pragma HLS INTERFACE s_axilite port = program bundle = control offset = 0x30
#pragma HLS INTERFACE s_axilite port = info bundle = control offset = 0x100
#pragma HLS INTERFACE s_axilite port = counters bundle = control offset = 0x200
#pragma HLS INTERFACE s_axilite port = return bundle = control
  using namespace xlic;
  static isa::Layer layers[isa::MAX_LAYERS];
  static isa::Pass passes[PASS_WORDS];
  static isa::Tap taps[TAP_WORDS];
  static isa::Param params[PARAM_WORDS];
  static weight_t weights[WEIGHT_WORDS][POF];
#pragma HLS ARRAY_RESHAPE variable = weights complete dim = 2

  xlic_identity(info);
clear_counters:
  for (std::uint32_t word = 0; word < isa::MAX_LAYERS * isa::COUNTER_WORDS; ++word) {
    counters[word] = 0;
  }
  isa::Header header;
  isa::ErrorCode error = load_program(gmem1, window_beats, program, header, layers, passes, taps,
                                      params, weights);
  const Extent extent = {program, program + std::uint64_t(program_beats(header))};
  std::uint32_t cycles = 0;
  std::uint32_t done = 0;
run_layers:
  while (error == isa::ERR_NONE && done < header.layers) {
    const isa::Layer layer = layers[done];
    error = check_layer(layer, header, extent, window_beats, passes, taps, params);
    if (error == isa::ERR_NONE) {
      const LayerCounts counts = run_layer(gmem0, layer, passes, taps, params, weights);
      const std::uint32_t first = done * isa::COUNTER_WORDS;
      counters[first + isa::COUNTER_CYCLES] = counts.active;
      counters[first + isa::COUNTER_ACTIVE] = counts.active;
      counters[first + isa::COUNTER_CONV_SATURATIONS] = counts.convolution_saturations;
      counters[first + isa::COUNTER_ACTIVATION_SATURATIONS] = counts.activation_saturations;
      counters[first + isa::COUNTER_INPUT_SATURATIONS] = counts.input_saturations;
      cycles += counts.active;
      ++done;
    }
  }
  info[isa::INFO_ERROR] = error;
  info[isa::INFO_ERROR_LAYER] = error == isa::ERR_NONE ? 0 : done;
  info[isa::INFO_LAYERS_DONE] = done;
  info[isa::INFO_CYCLES] = cycles;
  info[isa::INFO_PROGRAM_LOW] = header.identity_low;
  info[isa::INFO_PROGRAM_HIGH] = header.identity_high;
}
