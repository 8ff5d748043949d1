// Identity, and runs of one program.
#ifndef XLIC_BOARD_RUN_HPP
#define XLIC_BOARD_RUN_HPP

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "device.hpp"
#include "json.hpp"

namespace xlic_board {

struct Identity {
  std::uint32_t magic = 0, version = 0, array = 0, layers = 0;
  std::uint64_t hash = 0;
  // input_words, weight_words, param_words, pass_words, tap_words, channels
  std::array<std::uint32_t, 6> sizes{};
};

// What one start of the accelerator left behind.
struct Repeat {
  std::uint64_t nanoseconds = 0;
  std::uint32_t cycles = 0;
  std::uint32_t spurious = 0;  // interrupts without a cause
  bool interrupted = false;    // whether the interrupt came
  std::vector<std::array<std::uint32_t, isa::COUNTER_WORDS>> counters;  // of each layer
  std::vector<std::string> hashes;
};

// All that is told, also of a run that failed: what is known then.
struct Report {
  bool identified = false;
  Identity identity;
  std::uint64_t buffer_address = 0, buffer_bytes = 0;
  bool started = false;
  bool rests = true;  // idle: memory owes it no answers any more
  std::uint32_t error = 0, error_layer = 0, layers_done = 0, layers = 0;
  std::uint64_t program = 0;
  int holder = 0;  // process that has the device
  std::vector<Repeat> repeats;
};

// Reads the identity and refuses what is no accelerator of this interface: Failure(REFUSED).
void identify(const Device& device, const Arguments& arguments, Report& report);

// Waits until it is idle, which the next start needs: Failure(BUSY).
void wait_idle(const Device& device);

// Loads, runs, fetches; fills `report` as far as it comes.
void run(const Device& device, const Arguments& arguments, Report& report);

void write_json(Json& json, const Report& report, const Arguments& arguments);

}  // namespace xlic_board

#endif
