// The command line: `xlic-board free|identify|check|run …`; usage() says all of it.
#ifndef XLIC_BOARD_ARGUMENTS_HPP
#define XLIC_BOARD_ARGUMENTS_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace xlic_board {

// A stretch of the window, in beats; `file` is empty for --poison, `beats` 0 for --load (the
// file's length says).
struct Stretch {
  std::uint64_t offset = 0;
  std::uint64_t beats = 0;
  std::string file;
};

struct Arguments {
  std::string command;
  std::string program;
  std::uint64_t offset = 0;
  std::uint64_t window = 0;
  std::vector<Stretch> loads, poisons, fetches;
  std::optional<std::uint32_t> expect_array;
  std::optional<std::uint64_t> expect_hash, expect_program;
  std::uint64_t timeout_ms = 10000;
  std::uint64_t repeat = 1;
  bool wake = false;
  std::string json;
  std::string uio = "/dev/uio0";
  std::string udmabuf = "udmabuf0";
  std::string sysfs = "/sys";
  std::string devices = "/dev";
  std::string interrupt;
  std::string mem;
  std::uint64_t registers = 0, window_address = 0, window_bytes = 0;
};

const char* usage();

// Throws Failure(USAGE).
Arguments parse(int count, char** values);

}  // namespace xlic_board

#endif
