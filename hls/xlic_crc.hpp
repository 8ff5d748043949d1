// CRC-32 as zlib computes it, a beat at a time.
#ifndef XLIC_CRC_HPP
#define XLIC_CRC_HPP

#include "xlic_types.hpp"

namespace xlic {

constexpr std::uint32_t CRC_START = 0xffffffffu;

// The register after the 16 bytes of `beat`, lowest first. Unrolled, this is an XOR tree.
inline std::uint32_t crc_step(std::uint32_t crc, const beat_t& beat) {
#pragma HLS INLINE
  for (std::uint32_t index = 0; index < BEAT_WORDS; ++index) {
#pragma HLS UNROLL
    crc ^= word_of(beat, index);
    for (int bit = 0; bit < 32; ++bit) {
#pragma HLS UNROLL
      crc = (crc >> 1) ^ ((crc & 1u) ? 0xedb88320u : 0u);
    }
  }
  return crc;
}

inline std::uint32_t crc_value(std::uint32_t crc) { return ~crc; }

}  // namespace xlic

#endif
