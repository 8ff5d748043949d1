#include "xlic_check.hpp"

#include "xlic_window.hpp"

namespace xlic {
namespace {

bool sizes_given(const isa::Layer& layer) {
#pragma HLS INLINE
  return layer.in_height && layer.in_width && layer.row_step && layer.col_step && layer.rows &&
         layer.cols && layer.stride && layer.in_blocks && layer.phase_words && layer.slot_words &&
         layer.tiles_y && layer.tiles_x && layer.pass_count && layer.out_height &&
         layer.out_width && layer.out_run && layer.row_mul && layer.col_mul && layer.subrows &&
         layer.out_channels;
}

// Whether a tile's window fits the input buffer.
bool window_fits(const isa::Layer& layer) {
#pragma HLS INLINE
  const std::uint32_t stride = layer.stride;
  const std::uint32_t last_step = (layer.rows - 1u) / stride;
  const std::uint32_t slots = last_step >= POY ? 2 : 1;
  const std::uint32_t block = layer.in_format == isa::IN_S32 ? 4 : isa::CHANNEL_BLOCK;
  return layer.in_format <= isa::IN_S32 && last_step < 2 * POY &&
         (layer.cols - 1u) / stride < LANE_BANKS && slots * layer.slot_words <= INPUT_WORDS &&
         stride * stride * layer.phase_words <= layer.slot_words &&
         layer.in_blocks * block <= layer.phase_words &&
         layer.phase_words % isa::CHANNEL_BLOCK == 0 &&
         (layer.in_format != isa::IN_U8 || layer.in_blocks == 1);
}

// Beats from the start of the memory window to the end of the map that the layer reads.
std::uint64_t input_end(const isa::Layer& layer) {
#pragma HLS INLINE
  return layer.in_offset + std::uint64_t(layer.in_height - 1) * layer.in_row_pitch +
         row_beats(layer, layer.in_width);
}

// The same of the map that it writes.
std::uint64_t output_end(const isa::Layer& layer) {
#pragma HLS INLINE
  return layer.out_offset + std::uint64_t(layer.out_height - 1) * layer.out_row_pitch +
         std::uint64_t(layer.out_width - 1) * layer.out_px_pitch + layer.out_run;
}

bool taps_fit(const isa::Pass& pass, const isa::Layer& layer, const isa::Header& header,
              const isa::Tap taps[TAP_WORDS]) {
  if (pass.tap_count == 0 || std::uint32_t(pass.tap_first) + pass.tap_count > header.taps) {
    return false;
  }
  bool fit = true;
check_taps:
  for (std::uint32_t index = 0; index < pass.tap_count; ++index) {
#pragma HLS PIPELINE II = 1
    const isa::Tap tap = taps[pass.tap_first + index];
    fit = fit && tap.dy < isa::WINDOW_OFFSETS && tap.dx < isa::WINDOW_OFFSETS &&
          std::uint32_t(tap.offset) + pass.count <= layer.slot_words;
  }
  return fit;
}

// A lane that is skipped needs no channel; those of the last group may lie beyond.
bool lanes_fit(const isa::Pass& pass, const isa::Header& header,
               const isa::Param params[PARAM_WORDS]) {
  if (pass.param_base + POF > header.params) return false;
  bool fit = true;
check_lanes:
  for (std::uint32_t lane = 0; lane < POF; ++lane) {
#pragma HLS PIPELINE II = 1
    const std::uint32_t aux = params[pass.param_base + lane].aux;
    const std::uint32_t channel =
        pass.destination == isa::DEST_OUT_U8 ? aux : std::uint32_t(pass.channel_base) + lane;
    fit = fit && ((aux & isa::SKIP_LANE) != 0 || channel < CHANNELS);
  }
  return fit;
}

bool pass_fits(const isa::Pass& pass, const isa::Layer& layer, const isa::Header& header,
               const isa::Tap taps[TAP_WORDS], const isa::Param params[PARAM_WORDS]) {
  const bool normalizes =
      pass.destination == isa::DEST_OUT_GDN || pass.destination == isa::DEST_OUT_IGDN;
  if (pass.destination > isa::DEST_OUT_IGDN || normalizes != pass.gamma || pass.count == 0) {
    return false;
  }
  if (pass.gamma ? pass.count > CHANNELS : !taps_fit(pass, layer, header, taps)) return false;
  const std::uint64_t words =
      pass.gamma ? pass.count : std::uint64_t(pass.tap_count) * pass.count;
  return pass.weight_base + words <= header.weight_words && lanes_fit(pass, header, params);
}

}  // namespace

isa::ErrorCode check_layer(const isa::Layer& layer, const isa::Header& header,
                           std::uint32_t window_beats, const isa::Pass passes[PASS_WORDS],
                           const isa::Tap taps[TAP_WORDS], const isa::Param params[PARAM_WORDS]) {
  if (!sizes_given(layer) || !window_fits(layer) || layer.out_channels > CHANNELS) {
    return isa::ERR_LAYER;
  }
  if (input_end(layer) > window_beats || output_end(layer) > window_beats) {
    return isa::ERR_WINDOW;
  }
  if (layer.in_format == isa::IN_S32 && layer.in_params + 4u * layer.in_blocks > header.params) {
    return isa::ERR_PASS;
  }
  if (std::uint32_t(layer.pass_first) + layer.pass_count > header.passes) return isa::ERR_PASS;
check_passes:
  for (std::uint32_t index = 0; index < layer.pass_count; ++index) {
    const isa::Pass pass = passes[layer.pass_first + index];
    if (!pass_fits(pass, layer, header, taps, params)) return isa::ERR_PASS;
  }
  return isa::ERR_NONE;
}

}  // namespace xlic
