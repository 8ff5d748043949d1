#include "xlic_array.hpp"

namespace xlic {
namespace {

// Channel `channel` as the positions see it through `tap`.
void fetch_window(const isa::Tap& tap, std::uint32_t slot_words, std::uint32_t channel,
                  const pixel_t window[POY][INPUT_WORDS][LANE_BANKS],
                  operand_t operands[POSITIONS]) {
#pragma HLS INLINE
  const std::uint32_t rotation = tap.dx + (channel & (isa::CHANNEL_BLOCK - 1));
  for (std::uint32_t y = 0; y < POY; ++y) {
#pragma HLS UNROLL
    const std::uint32_t step = y + tap.dy;
    const bool second = step >= POY;
    const std::uint32_t bank = second ? step - POY : step;
    const std::uint32_t word = (second ? slot_words : 0) + tap.offset + channel;
    // Written twice in a row, a rotated word is a contiguous part.
    pixel_t twice[2 * LANE_BANKS];
#pragma HLS ARRAY_PARTITION variable = twice complete
    for (std::uint32_t lane = 0; lane < LANE_BANKS; ++lane) {
#pragma HLS UNROLL
      twice[lane] = window[bank][word][lane];
      twice[lane + LANE_BANKS] = window[bank][word][lane];
    }
    for (std::uint32_t x = 0; x < POX; ++x) {
#pragma HLS UNROLL
      operands[POX * y + x] = twice[x + rotation];
    }
  }
}

// |held value|: up to 32768.
void fetch_held(const pixel_t values[POSITIONS], operand_t operands[POSITIONS]) {
#pragma HLS INLINE
  for (std::uint32_t position = 0; position < POSITIONS; ++position) {
#pragma HLS UNROLL
    const operand_t value = values[position];
    operands[position] = value < 0 ? operand_t(-value) : value;
  }
}

void accumulate(const weight_t weight[POF], const operand_t operands[POSITIONS],
                acc_t sums[POF][POSITIONS]) {
#pragma HLS INLINE
  for (std::uint32_t lane = 0; lane < POF; ++lane) {
#pragma HLS UNROLL
    for (std::uint32_t position = 0; position < POSITIONS; ++position) {
#pragma HLS UNROLL
      sums[lane][position] += product(operands[position], weight[lane]);
    }
  }
}

}  // namespace

void multiply(const isa::Pass& pass, const isa::Layer& layer, const isa::Tap taps[TAP_WORDS],
              const weight_t weights[WEIGHT_WORDS][POF],
              const pixel_t window[POY][INPUT_WORDS][LANE_BANKS],
              const pixel_t held[CHANNELS][POSITIONS], acc_t sums[POF][POSITIONS]) {
  for (std::uint32_t lane = 0; lane < POF; ++lane) {
#pragma HLS UNROLL
    for (std::uint32_t position = 0; position < POSITIONS; ++position) {
#pragma HLS UNROLL
      sums[lane][position] = 0;
    }
  }
  const std::uint32_t cycles = issue_cycles(pass);
  std::uint32_t tap = pass.tap_first;
  std::uint32_t channel = 0;
multiply:
  for (std::uint32_t cycle = 0; cycle < cycles; ++cycle) {
#pragma HLS PIPELINE II = 1
    operand_t operands[POSITIONS];
#pragma HLS ARRAY_PARTITION variable = operands complete
    if (pass.gamma) {
      fetch_held(held[channel], operands);
    } else {
      fetch_window(taps[tap], layer.slot_words, channel, window, operands);
    }
    accumulate(weights[pass.weight_base + cycle], operands, sums);
    if (++channel == pass.count) {
      channel = 0;
      ++tap;
    }
  }
}

}  // namespace xlic
