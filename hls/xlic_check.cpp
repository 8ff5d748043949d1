#include "xlic_check.hpp"

#include "xlic_arith.hpp"
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
         layer.slot_words % isa::CHANNEL_BLOCK == 0 &&
         (layer.in_format != isa::IN_U8 || layer.in_blocks == 1);
}

// Whether a half of the output buffer holds what is stored, in whole beats.
bool output_fits(const isa::Layer& layer) {
#pragma HLS INLINE
  const std::uint64_t beats = std::uint64_t(layer.subrows) * layer.out_run;
  const bool merges = std::uint32_t(layer.out_px_pitch) * layer.col_mul == layer.out_run;
  return layer.out_channels <= CHANNELS &&
         beats * (layer.out_u8 ? 2 : 1) <= quotient_up(CHANNELS, 16) * 2 &&
         (!layer.out_merge || merges);
}

// Whether the last tile lies as near to the first as coordinates can say.
bool tiles_near(const isa::Layer& layer) {
#pragma HLS INLINE
  const std::uint64_t rows = layer.tiles_y - 1u;
  const std::uint64_t cols = layer.tiles_x - 1u;
  return rows * layer.row_step <= isa::FURTHEST && cols * layer.col_step <= isa::FURTHEST &&
         rows * POY * layer.row_mul <= isa::FURTHEST &&
         cols * POX * layer.col_mul <= isa::FURTHEST;
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

// Whether the maps lie in the window, and what is read is not what is written.
bool maps_fit(const isa::Layer& layer, const Extent& program, std::uint32_t window_beats) {
#pragma HLS INLINE
  const std::uint64_t in_end = input_end(layer);
  const std::uint64_t out_end = output_end(layer);
  return in_end <= window_beats && out_end <= window_beats &&
         (layer.out_offset >= in_end || layer.in_offset >= out_end) &&
         (layer.out_offset >= program.end || program.begin >= out_end);
}

bool symbols_fit(const isa::Layer& layer, const isa::Header& header,
                 const isa::Param params[PARAM_WORDS]) {
  const std::uint32_t end = layer.in_params + 4u * layer.in_blocks;
  if (end > header.params) return false;
  bool fit = true;
check_symbols:
  for (std::uint32_t index = layer.in_params; index < end; ++index) {
#pragma HLS PIPELINE II = 1
    const isa::Param param = params[index];
    fit = fit && param.shift <= isa::MAX_SYMBOL_SHIFT && param.bias >= PIXEL_MIN &&
          param.bias <= PIXEL_MAX;
  }
  return fit;
}

// Whether the window has the steps that an offset of `step` asks for.
bool steps_fit(std::uint32_t step, std::uint32_t positions, std::uint32_t stride,
               std::uint32_t size) {
#pragma HLS INLINE
  return step < isa::WINDOW_OFFSETS && (positions - 1 + step) * stride < size;
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
    fit = fit && steps_fit(tap.dy, POY, layer.stride, layer.rows) &&
          steps_fit(tap.dx, POX, layer.stride, layer.cols) &&
          std::uint32_t(tap.offset) + pass.count <= layer.slot_words;
  }
  return fit;
}

// What the passes so far have left behind.
struct Progress {
  std::uint32_t held;    // channels of this phase, without gaps
  bool held_used;        // by a γ pass
  bool tile_read;        // the last pass that reads it has been
  bool emitting;         // between the first and the last pass of an emission
  bool outputs;          // some pass had results for the output buffer, of
  std::uint32_t output;  // this destination
};

// Whether the lanes' shifts are in the contract and their channels where they may be. Of a pass that
// holds, `filled` becomes the number of its channels. What is asked of a lane is not asked of one
// that is skipped; those of the last group may lie beyond the channels.
bool lanes_fit(const isa::Pass& pass, std::uint32_t held, const isa::Param params[PARAM_WORDS],
               std::uint32_t& filled) {
  bool fit = true;
  bool gap = false;
  std::uint32_t count = 0;
check_lanes:
  for (std::uint32_t lane = 0; lane < POF; ++lane) {
#pragma HLS PIPELINE II = 1
    const isa::Param param = params[pass.param_base + lane];
    if ((param.aux & isa::SKIP_LANE) != 0) {
      gap = true;
      continue;
    }
    const std::uint32_t channel =
        pass.destination == isa::DEST_OUT_U8 ? param.aux : std::uint32_t(pass.channel_base) + lane;
    fit = fit && channel < CHANNELS && param.shift >= 1 && param.shift <= isa::MAX_SHIFT;
    if (pass.destination == isa::DEST_HOLD) {
      fit = fit && !gap;
      ++count;
    }
    if (pass.gamma) fit = fit && channel < held;
    if (pass.destination == isa::DEST_OUT_GDN) fit = fit && param.aux <= isa::MAX_GDN_SHIFT;
    if (pass.destination == isa::DEST_OUT_IGDN) {
      fit = fit && param.aux >= 1 && param.aux <= isa::MAX_SHIFT;
    }
  }
  filled = count;
  return fit;
}

// Whether the pass may follow those that made `progress`; this becomes that behind it.
bool follows(const isa::Pass& pass, bool first, std::uint32_t filled, Progress& progress) {
#pragma HLS INLINE
  const bool outputs = pass.destination != isa::DEST_HOLD;
  const bool open = progress.emitting || pass.emit_begin;
  const std::uint32_t held = pass.phase_begin ? 0 : progress.held;
  bool fit = pass.phase_begin || !first;
  if (pass.phase_begin) fit = fit && (progress.held == 0 || progress.held_used);
  if (pass.gamma) {
    fit = fit && pass.count == held && !pass.tile_end;
  } else {
    fit = fit && !progress.tile_read;
  }
  if (pass.emit_begin) fit = fit && !progress.emitting;
  if (outputs) {
    fit = fit && open && (!progress.outputs || progress.output == pass.destination);
  } else {
    fit = fit && !pass.emit_end && pass.channel_base == held;
  }
  progress.held = held + filled;
  progress.held_used = pass.gamma || (progress.held_used && outputs);
  progress.tile_read = progress.tile_read || pass.tile_end;
  progress.emitting = open && !pass.emit_end;
  if (outputs) {
    progress.outputs = true;
    progress.output = pass.destination;
  }
  return fit;
}

// Whether everything that was begun has been finished.
bool complete(const Progress& progress) {
#pragma HLS INLINE
  return progress.tile_read && !progress.emitting && (progress.held == 0 || progress.held_used);
}

// What the pass takes from tables, as far as its own fields say.
bool record_fits(const isa::Pass& pass, const isa::Layer& layer, const isa::Header& header,
                 const isa::Tap taps[TAP_WORDS]) {
  const bool normalizes =
      pass.destination == isa::DEST_OUT_GDN || pass.destination == isa::DEST_OUT_IGDN;
  if (pass.destination > isa::DEST_OUT_IGDN || normalizes != pass.gamma || pass.count == 0) {
    return false;
  }
  if (!pass.gamma && !taps_fit(pass, layer, header, taps)) return false;
  const std::uint64_t words =
      pass.gamma ? pass.count : std::uint64_t(pass.tap_count) * pass.count;
  return pass.weight_base + words <= header.weight_words && pass.param_base + POF <= header.params;
}

}  // namespace

isa::ErrorCode check_layer(const isa::Layer& layer, const isa::Header& header,
                           const Extent& program, std::uint32_t window_beats,
                           const isa::Pass passes[PASS_WORDS], const isa::Tap taps[TAP_WORDS],
                           const isa::Param params[PARAM_WORDS]) {
  if (!sizes_given(layer) || !window_fits(layer) || !output_fits(layer) || !tiles_near(layer)) {
    return isa::ERR_LAYER;
  }
  if (!maps_fit(layer, program, window_beats)) return isa::ERR_WINDOW;
  if (layer.in_format == isa::IN_S32 && !symbols_fit(layer, header, params)) return isa::ERR_PASS;
  if (std::uint32_t(layer.pass_first) + layer.pass_count > header.passes) return isa::ERR_PASS;
  Progress progress = {0, false, false, false, false, 0};
check_passes:
  for (std::uint32_t index = 0; index < layer.pass_count; ++index) {
    const isa::Pass pass = passes[layer.pass_first + index];
    std::uint32_t filled = 0;
    if (!record_fits(pass, layer, header, taps) ||
        !lanes_fit(pass, progress.held, params, filled) ||
        !follows(pass, index == 0, filled, progress)) {
      return isa::ERR_PASS;
    }
  }
  return complete(progress) ? isa::ERR_NONE : isa::ERR_PASS;
}

}  // namespace xlic
