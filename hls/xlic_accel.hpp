// The accelerator of docs/accelerator.md as a function: what Vitis HLS makes an IP of.
#ifndef XLIC_ACCEL_HPP
#define XLIC_ACCEL_HPP

#include "xlic_isa.h"
#include "xlic_types.hpp"

extern "C" {

// Runs the program at beat `program` of a memory window of `window_beats` beats.
//
// gmem0, gmem1: the window, as the ports of feature maps and of the program see it.
// info: INFO_WORDS words, the identity and the end of the run (isa::Info).
// counters: MAX_LAYERS × COUNTER_WORDS words (isa::Counter).
void xlic_accel(xlic::beat_t* gmem0, const xlic::beat_t* gmem1, std::uint32_t window_beats,
                std::uint32_t program, std::uint32_t info[xlic::isa::INFO_WORDS],
                std::uint32_t counters[xlic::isa::MAX_LAYERS * xlic::isa::COUNTER_WORDS]);

// Writes the words of `info` that identify the design, zeros elsewhere.
void xlic_identity(std::uint32_t info[xlic::isa::INFO_WORDS]);
}

#endif
