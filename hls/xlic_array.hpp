// The array: POF × POY × POX multipliers, each with the accumulator of one output.
#ifndef XLIC_ARRAY_HPP
#define XLIC_ARRAY_HPP

#include "xlic_config.hpp"
#include "xlic_isa.h"
#include "xlic_types.hpp"

namespace xlic {

// Cycles in which the array multiplies in a pass.
inline std::uint32_t issue_cycles(const isa::Pass& pass) {
#pragma HLS INLINE
  return pass.gamma ? pass.count : std::uint32_t(pass.tap_count) * pass.count;
}

// The sums of one pass, of a layer that was checked; positions are numbered by rows.
void multiply(const isa::Pass& pass, const isa::Layer& layer, const isa::Tap taps[TAP_WORDS],
              const weight_t weights[WEIGHT_WORDS][POF],
              const pixel_t window[POY][INPUT_WORDS][LANE_BANKS],
              const pixel_t held[CHANNELS][POSITIONS], acc_t sums[POF][POSITIONS]);

}  // namespace xlic

#endif
