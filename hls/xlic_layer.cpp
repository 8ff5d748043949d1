#include "xlic_layer.hpp"

#include "xlic_array.hpp"
#include "xlic_drain.hpp"
#include "xlic_store.hpp"
#include "xlic_window.hpp"

namespace xlic {
namespace {

// What the array does between two changes of the output buffer's half: the passes of a tile up to
// one that ends with storing, or to the tile's last.
struct Job {
  Tile tile;
  std::uint32_t first;  // pass
  std::uint32_t count;
  bool begins_tile;
  bool stored;
};

// The passes from `first` on that belong together.
void find_passes(const isa::Layer& layer, const isa::Pass passes[PASS_WORDS], Job& job) {
#pragma HLS INLINE
  const std::uint32_t end = std::uint32_t(layer.pass_first) + layer.pass_count;
  job.count = 0;
  job.stored = false;
find_passes:
  for (std::uint32_t index = job.first; index < end && !job.stored; ++index) {
#pragma HLS PIPELINE II = 1
    job.stored = passes[index].emit_end;
    ++job.count;
  }
}

Job first_job(const isa::Layer& layer, const isa::Pass passes[PASS_WORDS]) {
#pragma HLS INLINE
  Job job = {{0, 0}, layer.pass_first, 0, true, false};
  find_passes(layer, passes, job);
  return job;
}

Tile next_tile(const isa::Layer& layer, Tile tile) {
#pragma HLS INLINE
  if (++tile.x == layer.tiles_x) {
    tile.x = 0;
    ++tile.y;
  }
  return tile;
}

Job next_job(const isa::Layer& layer, const isa::Pass passes[PASS_WORDS], Job job) {
#pragma HLS INLINE
  job.first += job.count;
  job.begins_tile = job.first == std::uint32_t(layer.pass_first) + layer.pass_count;
  if (job.begins_tile) {
    job.first = layer.pass_first;
    job.tile = next_tile(layer, job.tile);
  }
  find_passes(layer, passes, job);
  return job;
}

// All that happens on port 0 during a job: the results of the job before go out, and while a
// tile's first job runs, the window of the next tile comes in.
void transfer(beat_t* gmem0, const isa::Layer& layer, const isa::Pass passes[PASS_WORDS],
              const isa::Param params[PARAM_WORDS], const Job& before, bool loads, Tile tile,
              const pixel_t results[OUTPUT_WORDS][POX],
              pixel_t window[POY][INPUT_WORDS][LANE_BANKS], std::uint32_t& input_saturations) {
  if (before.stored) {
    store(gmem0, layer, passes[before.first + before.count - 1], before.tile, results);
  }
  if (loads) {
    std::uint32_t saturated = 0;
    fill_window(gmem0, layer, tile, params, window, saturated);
    input_saturations += saturated;
  }
}

// All that the array does for a job.
void compute(const isa::Layer& layer, const Job& job, const isa::Pass passes[PASS_WORDS],
             const isa::Tap taps[TAP_WORDS], const isa::Param params[PARAM_WORDS],
             const weight_t weights[WEIGHT_WORDS][POF],
             const pixel_t window[POY][INPUT_WORDS][LANE_BANKS],
             pixel_t held[CHANNELS][POSITIONS], pixel_t results[OUTPUT_WORDS][POX],
             std::uint32_t& active, Saturations& saturations) {
compute_passes:
  for (std::uint32_t index = 0; index < job.count; ++index) {
    const isa::Pass pass = passes[job.first + index];
    acc_t sums[POF][POSITIONS];
#pragma HLS ARRAY_PARTITION variable = sums complete dim = 0
    multiply(pass, layer, taps, weights, window, held, sums);
    drain(pass, layer, job.tile, params, sums, held, results, saturations);
    active += issue_cycles(pass);
  }
}

// A job on one choice of halves. The two calls have no array in common that either writes.
void run_job(beat_t* gmem0, const isa::Layer& layer, const Job& job, const Job& before, bool loads,
             const isa::Pass passes[PASS_WORDS], const isa::Tap taps[TAP_WORDS],
             const isa::Param params[PARAM_WORDS], const weight_t weights[WEIGHT_WORDS][POF],
             const pixel_t window[POY][INPUT_WORDS][LANE_BANKS],
             pixel_t next_window[POY][INPUT_WORDS][LANE_BANKS], pixel_t held[CHANNELS][POSITIONS],
             pixel_t results[OUTPUT_WORDS][POX], const pixel_t last_results[OUTPUT_WORDS][POX],
             LayerCounts& counts, Saturations& saturations) {
#pragma HLS INLINE
  transfer(gmem0, layer, passes, params, before, loads, next_tile(layer, job.tile), last_results,
           next_window, counts.input_saturations);
  compute(layer, job, passes, taps, params, weights, window, held, results, counts.active,
          saturations);
}

}  // namespace

LayerCounts run_layer(beat_t* gmem0, const isa::Layer& layer, const isa::Pass passes[PASS_WORDS],
                      const isa::Tap taps[TAP_WORDS], const isa::Param params[PARAM_WORDS],
                      const weight_t weights[WEIGHT_WORDS][POF]) {
  // Two halves each, as arrays of their own: one job's transfer and computation then have nothing
  // in common and are scheduled side by side.
  static pixel_t window_a[POY][INPUT_WORDS][LANE_BANKS];
  static pixel_t window_b[POY][INPUT_WORDS][LANE_BANKS];
#pragma HLS ARRAY_PARTITION variable = window_a complete dim = 1
#pragma HLS ARRAY_PARTITION variable = window_a complete dim = 3
#pragma HLS ARRAY_PARTITION variable = window_b complete dim = 1
#pragma HLS ARRAY_PARTITION variable = window_b complete dim = 3
  static pixel_t results_a[OUTPUT_WORDS][POX];
  static pixel_t results_b[OUTPUT_WORDS][POX];
#pragma HLS ARRAY_PARTITION variable = results_a complete dim = 2
#pragma HLS ARRAY_PARTITION variable = results_b complete dim = 2
  static pixel_t held[CHANNELS][POSITIONS];
#pragma HLS ARRAY_PARTITION variable = held complete dim = 2
#pragma HLS ALLOCATION function instances = compute limit = 1
#pragma HLS ALLOCATION function instances = transfer limit = 1

  const std::uint32_t tiles = std::uint32_t(layer.tiles_y) * layer.tiles_x;
  LayerCounts counts = {0, 0, 0, 0};
  Saturations saturations = {0, 0};
  Job job = first_job(layer, passes);
  Job before = job;
  before.stored = false;
  std::uint32_t tile = 0;
  bool odd_tile = false;
  bool odd_job = false;
  fill_window(gmem0, layer, job.tile, params, window_a, counts.input_saturations);
run_jobs:
  while (tile < tiles) {
    const bool loads = job.begins_tile && tile + 1 < tiles;
    if (odd_tile && odd_job) {
      run_job(gmem0, layer, job, before, loads, passes, taps, params, weights, window_b, window_a,
              held, results_b, results_a, counts, saturations);
    } else if (odd_tile) {
      run_job(gmem0, layer, job, before, loads, passes, taps, params, weights, window_b, window_a,
              held, results_a, results_b, counts, saturations);
    } else if (odd_job) {
      run_job(gmem0, layer, job, before, loads, passes, taps, params, weights, window_a, window_b,
              held, results_b, results_a, counts, saturations);
    } else {
      run_job(gmem0, layer, job, before, loads, passes, taps, params, weights, window_a, window_b,
              held, results_a, results_b, counts, saturations);
    }
    before = job;
    job = next_job(layer, passes, job);
    odd_job = !odd_job;
    if (job.begins_tile) {
      odd_tile = !odd_tile;
      ++tile;
    }
  }
  if (before.stored) {
    const isa::Pass last = passes[before.first + before.count - 1];
    if (odd_job) {
      store(gmem0, layer, last, before.tile, results_a);
    } else {
      store(gmem0, layer, last, before.tile, results_b);
    }
  }
  counts.convolution_saturations = saturations.convolution;
  counts.activation_saturations = saturations.activation;
  return counts;
}

}  // namespace xlic
