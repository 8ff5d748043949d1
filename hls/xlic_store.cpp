#include "xlic_store.hpp"

namespace xlic {
namespace {

// Rows of the output in the order of the tile's: a loop over these is common to both processes.
struct Row {
  std::int64_t y;
  bool inside;
};

Row output_subrow(const isa::Layer& layer, const isa::Pass& pass, Tile tile, std::uint32_t y,
                  std::uint32_t subrow) {
#pragma HLS INLINE
  const std::int64_t place = output_row(layer, pass, tile, y) + subrow;
  const Row row = {place, place >= 0 && place < std::int64_t(layer.out_height)};
  return row;
}

// The tile's columns that lie in the output: `count` from `first` on.
struct Columns {
  std::uint32_t first;
  std::uint32_t count;
};

Columns stored_columns(const isa::Layer& layer, const isa::Pass& pass, Tile tile) {
#pragma HLS INLINE
  Columns columns = {0, 0};
  for (std::uint32_t x = 0; x < POX; ++x) {
#pragma HLS UNROLL
    if (col_stored(layer, pass, tile, x)) {
      if (columns.count == 0) columns.first = x;
      ++columns.count;
    }
  }
  return columns;
}

// The beat of `lanes` channels from `channel` on: 8 of 16 bits or 16 of 8.
beat_t pack(const isa::Layer& layer, std::uint32_t channel, std::uint32_t y, std::uint32_t x,
            const pixel_t results[OUTPUT_WORDS][POX]) {
#pragma HLS INLINE
  const std::uint32_t lanes = layer.out_u8 ? 16 : 8;
  beat_t beat = 0;
  for (std::uint32_t lane = 0; lane < 16; ++lane) {
#pragma HLS UNROLL
    const std::uint32_t here = channel + lane;
    const bool unused = layer.out_u8 && (here & 3u) == 3u;
    if (lane < lanes && here < layer.out_channels && !unused) {
      const std::uint32_t value =
          static_cast<std::uint16_t>(results[here * POY + y][output_bank(here, x)]);
      if (layer.out_u8) {
        beat |= beat_t(value & 0xffu) << (8 * lane);
      } else {
        beat |= beat_t(value) << (16 * (lane & 7u));
      }
    }
  }
  return beat;
}

void collect(const isa::Layer& layer, const isa::Pass& pass, Tile tile,
             const pixel_t results[OUTPUT_WORDS][POX], stream<beat_t>& beats) {
  const Columns columns = stored_columns(layer, pass, tile);
  const std::uint32_t per_beat = layer.out_u8 ? 16 : 8;
collect_rows:
  for (std::uint32_t y = 0; y < POY; ++y) {
    for (std::uint32_t subrow = 0; subrow < layer.subrows; ++subrow) {
      if (!output_subrow(layer, pass, tile, y, subrow).inside) continue;
      for (std::uint32_t col = 0; col < columns.count; ++col) {
      collect_beats:
        for (std::uint32_t beat = 0; beat < layer.out_run; ++beat) {
#pragma HLS PIPELINE II = 1
          const std::uint32_t channel = (subrow * layer.out_run + beat) * per_beat;
          beats.write(pack(layer, channel, y, columns.first + col, results));
        }
      }
    }
  }
}

void write_bursts(beat_t* gmem0, const isa::Layer& layer, const isa::Pass& pass, Tile tile,
                  stream<beat_t>& beats) {
  const Columns columns = stored_columns(layer, pass, tile);
  const std::uint32_t bursts = layer.out_merge ? 1 : columns.count;
  const std::uint32_t length = layer.out_merge ? columns.count * layer.out_run : layer.out_run;
write_rows:
  for (std::uint32_t y = 0; y < POY; ++y) {
    for (std::uint32_t subrow = 0; subrow < layer.subrows; ++subrow) {
      const Row row = output_subrow(layer, pass, tile, y, subrow);
      if (!row.inside || columns.count == 0) continue;
      const std::uint64_t start = layer.out_offset + std::uint64_t(row.y) * layer.out_row_pitch;
      for (std::uint32_t burst = 0; burst < bursts; ++burst) {
        const std::uint64_t x =
            std::uint64_t(output_col(layer, pass, tile, columns.first + burst));
        const std::uint64_t place = start + x * layer.out_px_pitch;
      write_burst:
        for (std::uint32_t beat = 0; beat < length; ++beat) {
#pragma HLS PIPELINE II = 1
          gmem0[place + beat] = beats.read();
        }
      }
    }
  }
}

}  // namespace

void store(beat_t* gmem0, const isa::Layer& layer, const isa::Pass& pass, Tile tile,
           const pixel_t results[OUTPUT_WORDS][POX]) {
#pragma HLS DATAFLOW
  stream<beat_t> beats;
#pragma HLS STREAM variable = beats depth = 64
  collect(layer, pass, tile, results, beats);
  write_bursts(gmem0, layer, pass, tile, beats);
}

}  // namespace xlic
