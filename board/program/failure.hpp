// How a run can fail, and the exit status of each: xlic/board/results.py holds the same table.
#ifndef XLIC_BOARD_FAILURE_HPP
#define XLIC_BOARD_FAILURE_HPP

#include <stdexcept>
#include <string>

namespace xlic_board {

enum class Outcome : int {
  OK = 0,               // it ended well
  USAGE = 2,            // the command line makes no sense
  NO_DEVICE = 10,       // a device is absent, cannot be opened or mapped
  REFUSED = 11,         // the accelerator or the program is not the one expected
  WINDOW = 12,          // the buffer is too small, or an access would leave the window
  ACCELERATOR = 13,     // it stopped with an error, or ended with nonsense
  TIMEOUT = 14,         // it did not end in time
  IO = 15,              // a file cannot be read or written
  BUSY = 16,            // another process has it, it runs already, or its interrupt stays
  LOST_INTERRUPT = 17,  // it ended, but the interrupt did not come
  BROKEN = 18           // a register or the buffer does not hold what was written
};

inline const char* name(Outcome outcome) {
  switch (outcome) {
    case Outcome::OK: return "ok";
    case Outcome::USAGE: return "usage";
    case Outcome::NO_DEVICE: return "no-device";
    case Outcome::REFUSED: return "refused";
    case Outcome::WINDOW: return "window";
    case Outcome::ACCELERATOR: return "accelerator";
    case Outcome::TIMEOUT: return "timeout";
    case Outcome::IO: return "io";
    case Outcome::BUSY: return "busy";
    case Outcome::LOST_INTERRUPT: return "lost-interrupt";
    case Outcome::BROKEN: return "broken";
  }
  return "unknown";
}

class Failure : public std::runtime_error {
 public:
  // `holder`: of BUSY, the process that has the device, where it has a number.
  Failure(Outcome outcome, const std::string& message, int holder = 0)
      : std::runtime_error(message), outcome_(outcome), holder_(holder) {}
  Outcome outcome() const { return outcome_; }
  int holder() const { return holder_; }

 private:
  Outcome outcome_;
  int holder_;
};

}  // namespace xlic_board

#endif
