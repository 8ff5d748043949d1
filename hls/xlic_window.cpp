#include "xlic_window.hpp"

#include "xlic_arith.hpp"

namespace xlic {
namespace {

// A tile's rows or columns on one axis of the map.
struct Span {
  std::int64_t origin;  // of the first, in the map
  std::uint32_t count;
  std::uint32_t size;  // of the map

  bool holds(std::uint32_t index) const {
#pragma HLS INLINE
    const std::int64_t place = origin + index;
    return place >= 0 && place < std::int64_t(size);
  }
};

Span row_span(const isa::Layer& layer, Tile tile) {
#pragma HLS INLINE
  const Span span = {layer.origin_y + std::int64_t(tile.y) * layer.row_step, layer.rows,
                     layer.in_height};
  return span;
}

Span col_span(const isa::Layer& layer, Tile tile) {
#pragma HLS INLINE
  const Span span = {layer.origin_x + std::int64_t(tile.x) * layer.col_step, layer.cols,
                     layer.in_width};
  return span;
}

// Reads what lies inside the map, a burst per row.
void read_rows(const beat_t* gmem0, const isa::Layer& layer, Tile tile, stream<beat_t>& beats) {
  const Span rows = row_span(layer, tile);
  const Span cols = col_span(layer, tile);
  const std::int64_t end = cols.origin + cols.count;
  const std::uint64_t first = cols.origin < 0 ? 0 : std::uint64_t(cols.origin);
  const std::uint64_t last = end < 0 ? 0 : std::uint64_t(least(end, std::int64_t(cols.size)));
  const bool any = first < last;
  // The first beat of a picture may begin ahead of the first pixel.
  const std::uint64_t skipped =
      layer.in_format == isa::IN_U8 ? first / 4 : first * layer.in_blocks;
  const std::uint64_t length = any ? row_beats(layer, last) - skipped : 0;
read_rows:
  for (std::uint32_t row = 0; row < rows.count; ++row) {
    if (!rows.holds(row)) continue;
    const std::uint64_t start =
        layer.in_offset + std::uint64_t(rows.origin + row) * layer.in_row_pitch + skipped;
  read_burst:
    for (std::uint64_t beat = 0; beat < length; ++beat) {
#pragma HLS PIPELINE II = 1
      beats.write(gmem0[start + beat]);
    }
  }
}

// The channels of one beat: 8 of a feature map, 4 symbols, or the 4 bytes of pixel `x`.
void decode_beat(const beat_t& beat, const isa::Layer& layer, std::uint32_t block, std::int64_t x,
                 const isa::Param params[PARAM_WORDS], pixel_t values[isa::CHANNEL_BLOCK],
                 std::uint32_t& clipped) {
#pragma HLS INLINE
  for (std::uint32_t index = 0; index < isa::CHANNEL_BLOCK; ++index) {
#pragma HLS UNROLL
    if (layer.in_format == isa::IN_I16) {
      values[index] = static_cast<std::int16_t>(half_of(beat, index));
    } else if (layer.in_format == isa::IN_U8) {
      const std::uint32_t pixel = word_of(beat, static_cast<std::uint32_t>(x) & 3u);
      values[index] = static_cast<std::int16_t>((pixel >> (8 * (index & 3u))) & 0xffu);
    } else if (index < 4) {
      const std::int32_t symbol = static_cast<std::int32_t>(word_of(beat, index));
      const isa::Param param = params[layer.in_params + 4 * block + index];
      values[index] = symbol_to_pixel(symbol, param, clipped);
    }
  }
}

// Puts every pixel of the window in its place, zeros where the map has none.
void place_rows(const isa::Layer& layer, Tile tile, const isa::Param params[PARAM_WORDS],
                stream<beat_t>& beats, pixel_t window[POY][INPUT_WORDS][LANE_BANKS],
                std::uint32_t& saturated) {
  const Span rows = row_span(layer, tile);
  const Span cols = col_span(layer, tile);
  const std::uint32_t per_beat = layer.in_format == isa::IN_I16 ? 8 : 4;
  std::uint32_t count = 0;
  std::uint32_t row_phase = 0;
  std::uint32_t bank = 0;
  std::uint32_t slot = 0;
place_rows:
  for (std::uint32_t row = 0; row < rows.count; ++row) {
    const bool row_inside = rows.holds(row);
    const bool row_core = row >= layer.core_y && row < layer.core_y + POY;
    std::uint32_t col_phase = 0;
    std::uint32_t step = 0;
    beat_t beat = 0;
    bool held = false;  // whether `beat` holds the pixel, of a picture
  place_cols:
    for (std::uint32_t col = 0; col < cols.count; ++col) {
      const bool inside = row_inside && cols.holds(col);
      const std::int64_t x = cols.origin + col;
      const bool core = row_core && col >= layer.core_x && col < layer.core_x + POX;
      const std::uint32_t base = slot * layer.slot_words +
                                 (row_phase * layer.stride + col_phase) * layer.phase_words;
    place_blocks:
      for (std::uint32_t block = 0; block < layer.in_blocks; ++block) {
#pragma HLS PIPELINE II = 1
#pragma HLS DEPENDENCE variable = window inter false
        if (layer.in_format == isa::IN_U8) held = held && (x & 3) != 0;
        if (inside && !held) beat = beats.read();
        held = inside && layer.in_format == isa::IN_U8;
        pixel_t values[isa::CHANNEL_BLOCK] = {0, 0, 0, 0, 0, 0, 0, 0};
#pragma HLS ARRAY_PARTITION variable = values complete
        std::uint32_t clipped = 0;
        if (inside) decode_beat(beat, layer, block, x, params, values, clipped);
        if (core) count += clipped;
        // Neighbouring channels go to neighbouring lane banks, see docs/accelerator.md.
        std::uint32_t lane = step + (per_beat * block & 7u);
        for (std::uint32_t index = 0; index < isa::CHANNEL_BLOCK; ++index) {
#pragma HLS UNROLL
          const std::uint32_t wrapped = lane >= LANE_BANKS ? lane - LANE_BANKS : lane;
          if (index < per_beat) {
            window[bank][base + per_beat * block + index][wrapped] = values[index];
          }
          lane = wrapped + 1;
        }
      }
      if (++col_phase == layer.stride) {
        col_phase = 0;
        ++step;
      }
    }
    if (++row_phase == layer.stride) {
      row_phase = 0;
      if (++bank == POY) {
        bank = 0;
        ++slot;
      }
    }
  }
  saturated = count;
}

}  // namespace

void fill_window(const beat_t* gmem0, const isa::Layer& layer, Tile tile,
                 const isa::Param params[PARAM_WORDS],
                 pixel_t window[POY][INPUT_WORDS][LANE_BANKS], std::uint32_t& saturated) {
#pragma HLS DATAFLOW
  stream<beat_t> beats;
#pragma HLS STREAM variable = beats depth = 64
  read_rows(gmem0, layer, tile, beats);
  place_rows(layer, tile, params, beats, window, saturated);
}

}  // namespace xlic
