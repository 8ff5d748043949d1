#include "xlic_drain.hpp"

#include "xlic_arith.hpp"
#include "xlic_store.hpp"

namespace xlic {

void drain(const isa::Pass& pass, const isa::Layer& layer, Tile tile,
           const isa::Param params[PARAM_WORDS], const acc_t sums[POF][POSITIONS],
           pixel_t held[CHANNELS][POSITIONS], pixel_t results[OUTPUT_WORDS][POX],
           Saturations& saturations) {
  const bool normalizes =
      pass.destination == isa::DEST_OUT_GDN || pass.destination == isa::DEST_OUT_IGDN;
  std::uint32_t convolution = 0;
  std::uint32_t activation = 0;
drain_lanes:
  for (std::uint32_t lane = 0; lane < POF; ++lane) {
  drain_rows:
    for (std::uint32_t y = 0; y < POY; ++y) {
#pragma HLS PIPELINE II = 1
#pragma HLS DEPENDENCE variable = held inter false
#pragma HLS DEPENDENCE variable = results inter false
      const isa::Param param = params[pass.param_base + lane];
      const std::uint32_t aux = param.aux & (isa::SKIP_LANE - 1);
      const std::uint32_t channel =
          pass.destination == isa::DEST_OUT_U8 ? aux : std::uint32_t(pass.channel_base) + lane;
      if ((param.aux & isa::SKIP_LANE) != 0) continue;
      const bool row_counts = channel < layer.out_channels && row_stored(layer, pass, tile, y);
      for (std::uint32_t x = 0; x < POX; ++x) {
#pragma HLS UNROLL
        const std::uint32_t position = POX * y + x;
        const acc_t value = rescale(sums[lane][position], param);
        const pixel_t before = held[channel][position];
        std::uint32_t clipped = 0;
        pixel_t result;
        if (pass.destination == isa::DEST_OUT_U8) {
          result = to_byte(value);
        } else if (normalizes) {
          const norm_t norm = to_norm(value, clipped);
          result = pass.destination == isa::DEST_OUT_GDN
                       ? divide(before, norm, aux, clipped)
                       : multiply_by_norm(before, norm, aux, clipped);
        } else {
          result = saturate(value, clipped);
        }
        if (pass.destination == isa::DEST_HOLD) {
          held[channel][position] = result;
        } else {
          results[channel * POY + y][output_bank(channel, x)] = result;
        }
        if (row_counts && col_stored(layer, pass, tile, x)) {
          if (normalizes) {
            activation += clipped;
          } else {
            convolution += clipped;
          }
        }
      }
    }
  }
  saturations.convolution += convolution;
  saturations.activation += activation;
}

}  // namespace xlic
