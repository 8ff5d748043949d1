// Records, registers and error codes of the accelerator; docs/accelerator.md says what they mean.
// Written by `python -m xlic.accelerator.generate` from xlic/accelerator/isa.py: change that.
#ifndef XLIC_ISA_H
#define XLIC_ISA_H

#include <cstdint>

namespace xlic {
namespace isa {

constexpr std::uint32_t MAGIC = 0x434c4958u;
constexpr std::uint32_t INTERFACE_VERSION = 1u;
constexpr std::uint32_t BEAT_BYTES = 16u;
constexpr std::uint32_t CHANNEL_BLOCK = 8u;
constexpr std::uint32_t WINDOW_OFFSETS = 3u;
constexpr std::uint32_t MAX_LAYERS = 8u;
constexpr std::uint32_t HEADER_BEATS = 4u;
constexpr std::uint32_t LAYER_BEATS = 8u;
constexpr std::uint32_t FURTHEST = 0x180000u;
constexpr std::uint32_t MAX_SHIFT = 47u;
constexpr std::uint32_t MAX_GDN_SHIFT = 36u;
constexpr std::uint32_t MAX_SYMBOL_SHIFT = 15u;
constexpr std::uint32_t WATCHDOG_CYCLES = 0x40000u;
constexpr std::uint32_t SKIP_LANE = 512u;
constexpr std::uint32_t INFO_WORDS = 32u;
constexpr std::uint32_t COUNTER_WORDS = 8u;
constexpr std::uint32_t HEADER_RECORD_WORDS = 16u;
constexpr std::uint32_t LAYER_RECORD_WORDS = 32u;
constexpr std::uint32_t PASS_RECORD_WORDS = 4u;
constexpr std::uint32_t TAP_RECORD_WORDS = 1u;
constexpr std::uint32_t PARAM_RECORD_WORDS = 2u;
constexpr std::uint32_t POF_CHOICES = 0x10110u;
constexpr std::uint32_t POY_CHOICES = 276u;
constexpr std::uint32_t POX_CHOICES = 0x10100u;
constexpr std::uint32_t INPUT_WORDS_LEAST = 16u;
constexpr std::uint32_t INPUT_WORDS_MOST = 32768u;
constexpr std::uint32_t WEIGHT_WORDS_LEAST = 16u;
constexpr std::uint32_t WEIGHT_WORDS_MOST = 0x800000u;
constexpr std::uint32_t PARAM_WORDS_LEAST = 16u;
constexpr std::uint32_t PARAM_WORDS_MOST = 0x10000u;
constexpr std::uint32_t PASS_WORDS_LEAST = 16u;
constexpr std::uint32_t PASS_WORDS_MOST = 0x10000u;
constexpr std::uint32_t TAP_WORDS_LEAST = 16u;
constexpr std::uint32_t TAP_WORDS_MOST = 0x10000u;
constexpr std::uint32_t CHANNELS_LEAST = 16u;
constexpr std::uint32_t CHANNELS_MOST = 1024u;

enum InFormat : std::uint32_t {
  IN_I16 = 0x0u,
  IN_U8 = 0x1u,
  IN_S32 = 0x2u,
};

enum Destination : std::uint32_t {
  DEST_HOLD = 0x0u,
  DEST_OUT_I16 = 0x1u,
  DEST_OUT_U8 = 0x2u,
  DEST_OUT_GDN = 0x3u,
  DEST_OUT_IGDN = 0x4u,
};

enum ErrorCode : std::uint32_t {
  ERR_NONE = 0x0u,
  ERR_MAGIC = 0x1u,
  ERR_VERSION = 0x2u,
  ERR_DESIGN = 0x3u,
  ERR_CAPACITY = 0x4u,
  ERR_TABLES_CRC = 0x5u,
  ERR_WEIGHTS_CRC = 0x6u,
  ERR_WINDOW = 0x7u,
  ERR_READ = 0x8u,
  ERR_WRITE = 0x9u,
  ERR_LAYER = 0xau,
  ERR_PASS = 0xbu,
  ERR_STALL = 0xcu,
};

enum Register : std::uint32_t {
  REG_CONTROL = 0x0u,
  REG_GLOBAL_INTERRUPT_ENABLE = 0x4u,
  REG_INTERRUPT_ENABLE = 0x8u,
  REG_INTERRUPT_STATUS = 0xcu,
  REG_GMEM0_LOW = 0x10u,
  REG_GMEM0_HIGH = 0x14u,
  REG_GMEM1_LOW = 0x1cu,
  REG_GMEM1_HIGH = 0x20u,
  REG_WINDOW_BEATS = 0x28u,
  REG_PROGRAM = 0x30u,
  REG_INFO = 0x100u,
  REG_COUNTERS = 0x200u,
};

enum Control : std::uint32_t {
  CONTROL_START = 0x0u,
  CONTROL_DONE = 0x1u,
  CONTROL_IDLE = 0x2u,
  CONTROL_READY = 0x3u,
  CONTROL_AUTO_RESTART = 0x7u,
};

enum Info : std::uint32_t {
  INFO_MAGIC = 0x0u,
  INFO_VERSION = 0x1u,
  INFO_ARRAY = 0x2u,
  INFO_HASH_LOW = 0x3u,
  INFO_HASH_HIGH = 0x4u,
  INFO_INPUT_WORDS = 0x5u,
  INFO_WEIGHT_WORDS = 0x6u,
  INFO_PARAM_WORDS = 0x7u,
  INFO_PASS_WORDS = 0x8u,
  INFO_TAP_WORDS = 0x9u,
  INFO_CHANNELS = 0xau,
  INFO_LAYERS = 0xbu,
  INFO_ERROR = 0xcu,
  INFO_ERROR_LAYER = 0xdu,
  INFO_LAYERS_DONE = 0xeu,
  INFO_CYCLES = 0xfu,
  INFO_PROGRAM_LOW = 0x10u,
  INFO_PROGRAM_HIGH = 0x11u,
};

enum Counter : std::uint32_t {
  COUNTER_CYCLES = 0x0u,
  COUNTER_ACTIVE = 0x1u,
  COUNTER_LOAD_WAIT = 0x2u,
  COUNTER_WEIGHT_WAIT = 0x3u,
  COUNTER_STORE_WAIT = 0x4u,
  COUNTER_CONV_SATURATIONS = 0x5u,
  COUNTER_ACTIVATION_SATURATIONS = 0x6u,
  COUNTER_INPUT_SATURATIONS = 0x7u,
};

// `bits` bits of a record from bit `lsb` on; a field spans two words at most.
template <unsigned lsb, unsigned bits>
inline std::uint64_t field(const std::uint32_t* words) {
  static_assert(bits >= 1 && lsb % 32 + bits <= 64, "a field spans two words at most");
  std::uint64_t wide = words[lsb / 32];
  if (lsb % 32 + bits > 32) wide |= std::uint64_t(words[lsb / 32 + 1]) << 32;
  return (wide >> (lsb % 32)) & (~std::uint64_t(0) >> (64 - bits));
}

template <unsigned lsb, unsigned bits>
inline std::int64_t signed_field(const std::uint32_t* words) {
  const std::uint64_t sign = std::uint64_t(1) << (bits - 1);
  return std::int64_t((field<lsb, bits>(words) ^ sign) - sign);
}

struct Header {
  std::uint32_t magic;
  std::uint32_t version;
  std::uint32_t array;
  std::uint32_t layers;
  std::uint32_t passes;
  std::uint32_t taps;
  std::uint32_t params;
  std::uint32_t weight_words;
  std::uint32_t identity_low;
  std::uint32_t identity_high;
  std::uint32_t tables_crc;
  std::uint32_t weights_crc;
};

inline Header decode_header(const std::uint32_t* words) {
  Header record;
  record.magic = std::uint32_t(field<0, 32>(words));
  record.version = std::uint32_t(field<32, 32>(words));
  record.array = std::uint32_t(field<64, 32>(words));
  record.layers = std::uint32_t(field<96, 32>(words));
  record.passes = std::uint32_t(field<128, 32>(words));
  record.taps = std::uint32_t(field<160, 32>(words));
  record.params = std::uint32_t(field<192, 32>(words));
  record.weight_words = std::uint32_t(field<224, 32>(words));
  record.identity_low = std::uint32_t(field<256, 32>(words));
  record.identity_high = std::uint32_t(field<288, 32>(words));
  record.tables_crc = std::uint32_t(field<384, 32>(words));
  record.weights_crc = std::uint32_t(field<416, 32>(words));
  return record;
}

struct Layer {
  std::uint8_t in_format;
  bool out_u8;
  bool out_merge;
  std::uint32_t in_offset;
  std::uint32_t in_row_pitch;
  std::uint32_t in_height;
  std::uint32_t in_width;
  std::int16_t origin_y;
  std::int16_t origin_x;
  std::uint16_t row_step;
  std::uint16_t col_step;
  std::uint16_t rows;
  std::uint16_t cols;
  std::uint8_t stride;
  std::uint16_t in_blocks;
  std::uint16_t phase_words;
  std::uint16_t slot_words;
  std::uint16_t tiles_y;
  std::uint16_t tiles_x;
  std::uint16_t pass_first;
  std::uint16_t pass_count;
  std::uint32_t out_offset;
  std::uint32_t out_row_pitch;
  std::uint32_t out_height;
  std::uint32_t out_width;
  std::uint16_t out_px_pitch;
  std::uint16_t out_run;
  std::uint8_t row_mul;
  std::uint8_t col_mul;
  std::uint8_t subrows;
  std::uint8_t out_lead;
  std::uint16_t out_channels;
  std::uint8_t core_y;
  std::uint8_t core_x;
  std::uint16_t in_params;
};

inline Layer decode_layer(const std::uint32_t* words) {
  Layer record;
  record.in_format = std::uint8_t(field<0, 2>(words));
  record.out_u8 = bool(field<8, 1>(words));
  record.out_merge = bool(field<9, 1>(words));
  record.in_offset = std::uint32_t(field<32, 32>(words));
  record.in_row_pitch = std::uint32_t(field<64, 32>(words));
  record.in_height = std::uint32_t(field<96, 20>(words));
  record.in_width = std::uint32_t(field<128, 20>(words));
  record.origin_y = std::int16_t(signed_field<160, 16>(words));
  record.origin_x = std::int16_t(signed_field<176, 16>(words));
  record.row_step = std::uint16_t(field<192, 16>(words));
  record.col_step = std::uint16_t(field<208, 16>(words));
  record.rows = std::uint16_t(field<224, 16>(words));
  record.cols = std::uint16_t(field<240, 16>(words));
  record.stride = std::uint8_t(field<256, 8>(words));
  record.in_blocks = std::uint16_t(field<272, 16>(words));
  record.phase_words = std::uint16_t(field<288, 16>(words));
  record.slot_words = std::uint16_t(field<304, 16>(words));
  record.tiles_y = std::uint16_t(field<320, 16>(words));
  record.tiles_x = std::uint16_t(field<336, 16>(words));
  record.pass_first = std::uint16_t(field<352, 16>(words));
  record.pass_count = std::uint16_t(field<368, 16>(words));
  record.out_offset = std::uint32_t(field<384, 32>(words));
  record.out_row_pitch = std::uint32_t(field<416, 32>(words));
  record.out_height = std::uint32_t(field<448, 20>(words));
  record.out_width = std::uint32_t(field<480, 20>(words));
  record.out_px_pitch = std::uint16_t(field<512, 16>(words));
  record.out_run = std::uint16_t(field<528, 16>(words));
  record.row_mul = std::uint8_t(field<544, 8>(words));
  record.col_mul = std::uint8_t(field<552, 8>(words));
  record.subrows = std::uint8_t(field<560, 8>(words));
  record.out_lead = std::uint8_t(field<568, 8>(words));
  record.out_channels = std::uint16_t(field<576, 16>(words));
  record.core_y = std::uint8_t(field<592, 8>(words));
  record.core_x = std::uint8_t(field<600, 8>(words));
  record.in_params = std::uint16_t(field<608, 16>(words));
  return record;
}

struct Pass {
  std::uint32_t weight_base;
  bool gamma;
  bool phase_begin;
  bool tile_end;
  bool emit_begin;
  bool emit_end;
  std::uint8_t destination;
  std::uint16_t tap_first;
  std::uint16_t tap_count;
  std::uint16_t count;
  std::uint16_t channel_base;
  std::uint16_t param_base;
  std::uint8_t phase_y;
  std::uint8_t phase_x;
};

inline Pass decode_pass(const std::uint32_t* words) {
  Pass record;
  record.weight_base = std::uint32_t(field<0, 24>(words));
  record.gamma = bool(field<24, 1>(words));
  record.phase_begin = bool(field<25, 1>(words));
  record.tile_end = bool(field<26, 1>(words));
  record.emit_begin = bool(field<27, 1>(words));
  record.emit_end = bool(field<28, 1>(words));
  record.destination = std::uint8_t(field<29, 3>(words));
  record.tap_first = std::uint16_t(field<32, 16>(words));
  record.tap_count = std::uint16_t(field<48, 16>(words));
  record.count = std::uint16_t(field<64, 16>(words));
  record.channel_base = std::uint16_t(field<80, 16>(words));
  record.param_base = std::uint16_t(field<96, 16>(words));
  record.phase_y = std::uint8_t(field<112, 8>(words));
  record.phase_x = std::uint8_t(field<120, 8>(words));
  return record;
}

struct Tap {
  std::uint16_t offset;
  std::uint8_t dy;
  std::uint8_t dx;
};

inline Tap decode_tap(const std::uint32_t* words) {
  Tap record;
  record.offset = std::uint16_t(field<0, 16>(words));
  record.dy = std::uint8_t(field<16, 2>(words));
  record.dx = std::uint8_t(field<18, 2>(words));
  return record;
}

struct Param {
  std::int64_t bias;
  std::uint8_t shift;
  std::uint16_t aux;
};

inline Param decode_param(const std::uint32_t* words) {
  Param record;
  record.bias = std::int64_t(signed_field<0, 48>(words));
  record.shift = std::uint8_t(field<48, 6>(words));
  record.aux = std::uint16_t(field<54, 10>(words));
  return record;
}

}  // namespace isa
}  // namespace xlic

#endif
