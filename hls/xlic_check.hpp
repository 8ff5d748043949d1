// Refusing a layer before anything of it is done: afterwards no index and no address can be wrong.
#ifndef XLIC_CHECK_HPP
#define XLIC_CHECK_HPP

#include "xlic_config.hpp"
#include "xlic_isa.h"
#include "xlic_types.hpp"

namespace xlic {

// Beats of the window, the last one exclusive.
struct Extent {
  std::uint64_t begin;
  std::uint64_t end;
};

// ERR_NONE, or the first of ERR_LAYER, ERR_WINDOW, ERR_PASS that applies.
isa::ErrorCode check_layer(const isa::Layer& layer, const isa::Header& header,
                           const Extent& program, std::uint32_t window_beats,
                           const isa::Pass passes[PASS_WORDS], const isa::Tap taps[TAP_WORDS],
                           const isa::Param params[PARAM_WORDS]);

}  // namespace xlic

#endif
