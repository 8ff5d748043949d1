// Parameters of a design, see docs/accelerator.md; each may be given as -DXLIC_POF=8 and so on.
#ifndef XLIC_CONFIG_HPP
#define XLIC_CONFIG_HPP

#include <cstdint>

#include "xlic_isa.h"

#ifndef XLIC_POF
#define XLIC_POF 16
#endif
#ifndef XLIC_POY
#define XLIC_POY 4
#endif
#ifndef XLIC_POX
#define XLIC_POX 16
#endif
#ifndef XLIC_INPUT_WORDS
#define XLIC_INPUT_WORDS 1024
#endif
#ifndef XLIC_WEIGHT_WORDS
#define XLIC_WEIGHT_WORDS 57344
#endif
#ifndef XLIC_PARAM_WORDS
#define XLIC_PARAM_WORDS 1024
#endif
#ifndef XLIC_PASS_WORDS
#define XLIC_PASS_WORDS 512
#endif
#ifndef XLIC_TAP_WORDS
#define XLIC_TAP_WORDS 512
#endif
#ifndef XLIC_CHANNELS
#define XLIC_CHANNELS 256
#endif
// First 64 bits of the SHA-256 of the sources; the build fills them in.
#ifndef XLIC_HASH_LOW
#define XLIC_HASH_LOW 0
#endif
#ifndef XLIC_HASH_HIGH
#define XLIC_HASH_HIGH 0
#endif

namespace xlic {

constexpr std::uint32_t POF = XLIC_POF;  // output channels at once: lanes
constexpr std::uint32_t POY = XLIC_POY;  // rows at once
constexpr std::uint32_t POX = XLIC_POX;  // columns at once
constexpr std::uint32_t POSITIONS = POY * POX;
constexpr std::uint32_t LANE_BANKS = POX + 2;  // a word of the input buffer: three offsets' worth
constexpr std::uint32_t INPUT_WORDS = XLIC_INPUT_WORDS;
constexpr std::uint32_t WEIGHT_WORDS = XLIC_WEIGHT_WORDS;
constexpr std::uint32_t PARAM_WORDS = XLIC_PARAM_WORDS;
constexpr std::uint32_t PASS_WORDS = XLIC_PASS_WORDS;
constexpr std::uint32_t TAP_WORDS = XLIC_TAP_WORDS;
constexpr std::uint32_t CHANNELS = XLIC_CHANNELS;
constexpr std::uint32_t ARRAY = POF | POY << 8 | POX << 16;

#define XLIC_CHOICE(name) \
  static_assert(name < 32 && ((isa::name##_CHOICES >> name) & 1u) != 0, #name " cannot be that")
#define XLIC_RANGE(name)                                                    \
  static_assert(name >= isa::name##_LEAST && name <= isa::name##_MOST, \
                #name " is out of its range in xlic_isa.h")
XLIC_CHOICE(POF);
XLIC_CHOICE(POY);
XLIC_CHOICE(POX);
XLIC_RANGE(INPUT_WORDS);
XLIC_RANGE(WEIGHT_WORDS);
XLIC_RANGE(PARAM_WORDS);
XLIC_RANGE(PASS_WORDS);
XLIC_RANGE(TAP_WORDS);
XLIC_RANGE(CHANNELS);
#undef XLIC_RANGE
#undef XLIC_CHOICE

}  // namespace xlic

#endif
