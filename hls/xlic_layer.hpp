// One layer: its tiles in raster order, loading and storing while the array works.
#ifndef XLIC_LAYER_HPP
#define XLIC_LAYER_HPP

#include "xlic_config.hpp"
#include "xlic_isa.h"
#include "xlic_types.hpp"

namespace xlic {

// What a layer's run left in the counters.
struct LayerCounts {
  std::uint32_t active;
  std::uint32_t convolution_saturations;
  std::uint32_t activation_saturations;
  std::uint32_t input_saturations;
};

// Runs a layer that was checked.
LayerCounts run_layer(beat_t* gmem0, const isa::Layer& layer, const isa::Pass passes[PASS_WORDS],
                      const isa::Tap taps[TAP_WORDS], const isa::Param params[PARAM_WORDS],
                      const weight_t weights[WEIGHT_WORDS][POF]);

}  // namespace xlic

#endif
