// Whether registers and buffer hold what is written to them; for bring-up.
#ifndef XLIC_BOARD_CHECK_HPP
#define XLIC_BOARD_CHECK_HPP

#include "device.hpp"
#include "run.hpp"

namespace xlic_board {

// Writes patterns to the registers that the accelerator only reads, and one word to each stretch of
// the buffer; reads them back. Failure(BROKEN) names the address and both values. What was in the
// buffer is lost.
void check(const Device& device, Report& report);

}  // namespace xlic_board

#endif
