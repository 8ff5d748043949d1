// The window of the input that a tile needs, as the array reads it.
#ifndef XLIC_WINDOW_HPP
#define XLIC_WINDOW_HPP

#include "xlic_config.hpp"
#include "xlic_isa.h"
#include "xlic_types.hpp"

namespace xlic {

// Where a tile lies in the grid.
struct Tile {
  std::uint32_t y;
  std::uint32_t x;
};

// Beats of the first `pixels` pixels of a row in memory.
inline std::uint64_t row_beats(const isa::Layer& layer, std::uint64_t pixels) {
#pragma HLS INLINE
  return layer.in_format == isa::IN_U8 ? (pixels + 3) / 4 : pixels * layer.in_blocks;
}

// Loads the window of `tile`, of a layer that was checked. `window` is a half of the input buffer,
// by row bank, word and lane bank. `saturated` becomes the input saturations of the tile's core.
void fill_window(const beat_t* gmem0, const isa::Layer& layer, Tile tile,
                 const isa::Param params[PARAM_WORDS],
                 pixel_t window[POY][INPUT_WORDS][LANE_BANKS], std::uint32_t& saturated);

}  // namespace xlic

#endif
