// Parameters of a design, see docs/accelerator.md; each may be given as -DXLIC_POF=8 and so on.
#ifndef XLIC_CONFIG_HPP
#define XLIC_CONFIG_HPP

#include <cstdint>

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

static_assert(POF == 4 || POF == 8 || POF == 16, "POF is 4, 8 or 16");
static_assert(POY == 2 || POY == 4 || POY == 8, "POY is 2, 4 or 8");
static_assert(POX == 8 || POX == 16, "POX is 8 or 16");
static_assert(INPUT_WORDS >= 16 && INPUT_WORDS <= (1u << 15), "INPUT_WORDS is 16 to 2^15");
static_assert(WEIGHT_WORDS >= 16 && WEIGHT_WORDS <= (1u << 24), "WEIGHT_WORDS is 16 to 2^24");
static_assert(PARAM_WORDS >= 16 && PARAM_WORDS <= (1u << 16), "PARAM_WORDS is 16 to 2^16");
static_assert(PASS_WORDS >= 16 && PASS_WORDS <= (1u << 16), "PASS_WORDS is 16 to 2^16");
static_assert(TAP_WORDS >= 16 && TAP_WORDS <= (1u << 16), "TAP_WORDS is 16 to 2^16");
static_assert(CHANNELS >= 16 && CHANNELS <= (1u << 10), "CHANNELS is 16 to 2^10");

}  // namespace xlic

#endif
