// From the output buffer to memory.
#ifndef XLIC_STORE_HPP
#define XLIC_STORE_HPP

#include "xlic_config.hpp"
#include "xlic_drain.hpp"
#include "xlic_isa.h"
#include "xlic_types.hpp"
#include "xlic_window.hpp"

namespace xlic {

// Y of row `y` of a tile; of its first one where there are several.
inline std::int64_t output_row(const isa::Layer& layer, const isa::Pass& pass, Tile tile,
                               std::uint32_t y) {
#pragma HLS INLINE
  return std::int64_t(tile.y * POY + y) * layer.row_mul + pass.phase_y - layer.out_lead;
}

// X of column `x` of a tile.
inline std::int64_t output_col(const isa::Layer& layer, const isa::Pass& pass, Tile tile,
                               std::uint32_t x) {
#pragma HLS INLINE
  return std::int64_t(tile.x * POX + x) * layer.col_mul + pass.phase_x - layer.out_lead;
}

// Whether a row of the tile is stored, or the first of its rows of the output: where clips count.
inline bool row_stored(const isa::Layer& layer, const isa::Pass& pass, Tile tile,
                       std::uint32_t y) {
#pragma HLS INLINE
  const std::int64_t first = output_row(layer, pass, tile, y);
  return first >= 0 && first < std::int64_t(layer.out_height);
}

inline bool col_stored(const isa::Layer& layer, const isa::Pass& pass, Tile tile,
                       std::uint32_t x) {
#pragma HLS INLINE
  const std::int64_t col = output_col(layer, pass, tile, x);
  return col >= 0 && col < std::int64_t(layer.out_width);
}

// Stores a half of the output buffer with the phases of `pass`, of a layer that was checked.
void store(beat_t* gmem0, const isa::Layer& layer, const isa::Pass& pass, Tile tile,
           const pixel_t results[OUTPUT_WORDS][POX]);

}  // namespace xlic

#endif
