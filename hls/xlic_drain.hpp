// Sums become results: rescaled, normalized, saturated, and put where they are needed next.
#ifndef XLIC_DRAIN_HPP
#define XLIC_DRAIN_HPP

#include "xlic_config.hpp"
#include "xlic_isa.h"
#include "xlic_types.hpp"
#include "xlic_window.hpp"

namespace xlic {

struct Saturations {
  std::uint32_t convolution;
  std::uint32_t activation;
};

// A half of the output buffer, by word (channel · POY + row) and bank. Column x of channel c lies in
// bank (x + c) mod POX: a channel's row is written at once, 8 channels of a pixel read at once.
constexpr std::uint32_t OUTPUT_WORDS = CHANNELS * POY;

inline std::uint32_t output_bank(std::uint32_t channel, std::uint32_t x) {
#pragma HLS INLINE
  return (x + channel) & (POX - 1);
}

// Finishes the sums of `pass`; adds what was clipped to `saturations`, of the places that are
// stored only.
void drain(const isa::Pass& pass, const isa::Layer& layer, Tile tile,
           const isa::Param params[PARAM_WORDS], const acc_t sums[POF][POSITIONS],
           pixel_t held[CHANNELS][POSITIONS], pixel_t results[OUTPUT_WORDS][POX],
           Saturations& saturations);

}  // namespace xlic

#endif
