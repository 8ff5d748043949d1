// A program's tables and weights: from memory into the chip, checked against what holds them.
#ifndef XLIC_PROGRAM_HPP
#define XLIC_PROGRAM_HPP

#include "xlic_config.hpp"
#include "xlic_isa.h"
#include "xlic_types.hpp"

namespace xlic {

// Beats of a program with this header, whose sections were found to fit.
std::uint32_t program_beats(const isa::Header& header);

// Reads the program at beat `program` of the window and fills all tables.
// Returns the first error found; the tables are of use only where it is ERR_NONE.
isa::ErrorCode load_program(const beat_t* gmem1, std::uint32_t window_beats, std::uint32_t program,
                            isa::Header& header, isa::Layer layers[isa::MAX_LAYERS],
                            isa::Pass passes[PASS_WORDS], isa::Tap taps[TAP_WORDS],
                            isa::Param params[PARAM_WORDS], weight_t weights[WEIGHT_WORDS][POF]);

}  // namespace xlic

#endif
