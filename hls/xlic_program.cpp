#include "xlic_program.hpp"

#include "xlic_crc.hpp"

namespace xlic {
namespace {

constexpr std::uint32_t BEAT_LANES = isa::BEAT_BYTES / 2;

void unpack(const beat_t& beat, std::uint32_t words[BEAT_WORDS]) {
#pragma HLS INLINE
  for (std::uint32_t index = 0; index < BEAT_WORDS; ++index) {
#pragma HLS UNROLL
    words[index] = word_of(beat, index);
  }
}

bool fits(std::uint32_t entries, std::uint32_t capacity) {
#pragma HLS INLINE
  return entries >= 1 && entries <= capacity;
}

isa::ErrorCode check_header(const isa::Header& header, std::uint32_t beats_left) {
#pragma HLS INLINE
  if (header.magic != isa::MAGIC) return isa::ERR_MAGIC;
  if (header.version != isa::INTERFACE_VERSION) return isa::ERR_VERSION;
  if (header.array != ARRAY) return isa::ERR_DESIGN;
  if (!fits(header.layers, isa::MAX_LAYERS) || !fits(header.passes, PASS_WORDS) ||
      !fits(header.taps, TAP_WORDS) || !fits(header.params, PARAM_WORDS) ||
      !fits(header.weight_words, WEIGHT_WORDS)) {
    return isa::ERR_CAPACITY;
  }
  return program_beats(header) > beats_left ? isa::ERR_WINDOW : isa::ERR_NONE;
}

// Reads the weights' beats and returns their CRC register.
std::uint32_t load_weights(const beat_t* gmem1, std::uint32_t first, std::uint32_t count,
                           weight_t weights[WEIGHT_WORDS][POF]) {
  std::uint32_t crc = CRC_START;
  std::uint32_t word = 0;
  std::uint32_t lane = 0;
load_weights:
  for (std::uint32_t beat = 0; beat < quotient_up(count * POF, BEAT_LANES); ++beat) {
#pragma HLS PIPELINE II = 1
    const beat_t value = gmem1[first + beat];
    crc = crc_step(crc, value);
    for (std::uint32_t index = 0; index < BEAT_LANES; ++index) {
#pragma HLS UNROLL
      // The last beat may be padded beyond the last word.
      if (word < count) weights[word][lane] = static_cast<std::int16_t>(half_of(value, index));
      if (++lane == POF) {
        lane = 0;
        ++word;
      }
    }
  }
  return crc;
}

}  // namespace

std::uint32_t program_beats(const isa::Header& header) {
#pragma HLS INLINE
  return isa::HEADER_BEATS + header.layers * isa::LAYER_BEATS + header.passes +
         quotient_up(header.taps, 4) + quotient_up(header.params, 2) +
         quotient_up(header.weight_words * POF, BEAT_LANES);
}

isa::ErrorCode load_program(const beat_t* gmem1, std::uint32_t window_beats, std::uint32_t program,
                            isa::Header& header, isa::Layer layers[isa::MAX_LAYERS],
                            isa::Pass passes[PASS_WORDS], isa::Tap taps[TAP_WORDS],
                            isa::Param params[PARAM_WORDS], weight_t weights[WEIGHT_WORDS][POF]) {
  header = isa::Header();
  if (window_beats < isa::HEADER_BEATS || program > window_beats - isa::HEADER_BEATS) {
    return isa::ERR_WINDOW;
  }
  std::uint32_t next = program;
  std::uint32_t crc = CRC_START;

  std::uint32_t header_words[isa::HEADER_RECORD_WORDS];
#pragma HLS ARRAY_PARTITION variable = header_words complete
load_header:
  for (std::uint32_t beat = 0; beat < isa::HEADER_BEATS; ++beat) {
#pragma HLS PIPELINE II = 1
    const beat_t value = gmem1[next + beat];
    unpack(value, header_words + BEAT_WORDS * beat);
    // The CRCs themselves stand in the last beat.
    if (beat + 1 < isa::HEADER_BEATS) crc = crc_step(crc, value);
  }
  header = isa::decode_header(header_words);
  const isa::ErrorCode refused = check_header(header, window_beats - program);
  if (refused != isa::ERR_NONE) return refused;
  next += isa::HEADER_BEATS;

load_layers:
  for (std::uint32_t index = 0; index < header.layers; ++index) {
    std::uint32_t words[isa::LAYER_RECORD_WORDS];
#pragma HLS ARRAY_PARTITION variable = words complete
    for (std::uint32_t beat = 0; beat < isa::LAYER_BEATS; ++beat) {
#pragma HLS PIPELINE II = 1
      const beat_t value = gmem1[next + index * isa::LAYER_BEATS + beat];
      unpack(value, words + BEAT_WORDS * beat);
      crc = crc_step(crc, value);
    }
    layers[index] = isa::decode_layer(words);
  }
  next += header.layers * isa::LAYER_BEATS;

load_passes:
  for (std::uint32_t index = 0; index < header.passes; ++index) {
#pragma HLS PIPELINE II = 1
    const beat_t value = gmem1[next + index];
    std::uint32_t words[BEAT_WORDS];
    unpack(value, words);
    crc = crc_step(crc, value);
    passes[index] = isa::decode_pass(words);
  }
  next += header.passes;

load_taps:
  for (std::uint32_t beat = 0; beat < quotient_up(header.taps, 4); ++beat) {
#pragma HLS PIPELINE II = 4
    const beat_t value = gmem1[next + beat];
    std::uint32_t words[BEAT_WORDS];
    unpack(value, words);
    crc = crc_step(crc, value);
    for (std::uint32_t index = 0; index < 4; ++index) {
      if (4 * beat + index < header.taps) taps[4 * beat + index] = isa::decode_tap(words + index);
    }
  }
  next += quotient_up(header.taps, 4);

load_params:
  for (std::uint32_t beat = 0; beat < quotient_up(header.params, 2); ++beat) {
#pragma HLS PIPELINE II = 2
    const beat_t value = gmem1[next + beat];
    std::uint32_t words[BEAT_WORDS];
    unpack(value, words);
    crc = crc_step(crc, value);
    for (std::uint32_t index = 0; index < 2; ++index) {
      if (2 * beat + index < header.params) {
        params[2 * beat + index] = isa::decode_param(words + 2 * index);
      }
    }
  }
  next += quotient_up(header.params, 2);
  if (crc_value(crc) != header.tables_crc) return isa::ERR_TABLES_CRC;

  crc = load_weights(gmem1, next, header.weight_words, weights);
  return crc_value(crc) == header.weights_crc ? isa::ERR_NONE : isa::ERR_WEIGHTS_CRC;
}

}  // namespace xlic
