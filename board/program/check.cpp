#include "check.hpp"

#include <cstdio>
#include <cstring>

#include "failure.hpp"

namespace xlic_board {
namespace {

constexpr std::uint64_t STRIDE = 1 << 16;
constexpr std::uint32_t REGISTERS[] = {isa::REG_GMEM0_LOW,  isa::REG_GMEM0_HIGH,
                                       isa::REG_GMEM1_LOW,  isa::REG_GMEM1_HIGH,
                                       isa::REG_WINDOW_BEATS, isa::REG_PROGRAM};

[[noreturn]] void broken(const char* what, std::uint64_t at, std::uint64_t wrote,
                         std::uint64_t read) {
  char text[160];
  std::snprintf(text, sizeof text, "%s 0x%llx holds 0x%llx after 0x%llx was written", what,
                static_cast<unsigned long long>(at), static_cast<unsigned long long>(read),
                static_cast<unsigned long long>(wrote));
  throw Failure(Outcome::BROKEN, text);
}

// Each bit alone in one register, something else in the others: finds bits that stick, and
// registers that are one.
void check_registers(const Device& device) {
  for (unsigned bit = 0; bit < 32; ++bit) {
    const auto value = [&](std::uint32_t address) { return (1u << bit) ^ (address * 0x01010101u); };
    for (const std::uint32_t address : REGISTERS) device.write(address, value(address));
    for (const std::uint32_t address : REGISTERS) {
      const std::uint32_t found = device.read(address);
      if (found != value(address)) broken("register", address, value(address), found);
    }
  }
  for (const std::uint32_t address : REGISTERS) device.write(address, 0);
}

// Every word is its own address, then its complement: finds address lines that do nothing.
void check_buffer(const Mapping& buffer) {
  for (const std::uint64_t flip : {std::uint64_t(0), ~std::uint64_t(0)}) {
    const auto value = [&](std::uint64_t at) { return (at * 0x9e3779b97f4a7c15u + 1) ^ flip; };
    const auto each = [&](auto visit) {
      for (std::uint64_t at = 0; at + 8 <= buffer.bytes(); at += STRIDE) visit(at);
      visit(buffer.bytes() - 8);
    };
    each([&](std::uint64_t at) {
      const std::uint64_t word = value(at);
      std::vector<std::uint8_t> bytes(sizeof word);
      std::memcpy(bytes.data(), &word, sizeof word);
      buffer.write(at, bytes);
    });
    each([&](std::uint64_t at) {
      std::uint64_t found = 0;
      std::memcpy(&found, buffer.read(at, sizeof found).data(), sizeof found);
      if (found != value(at)) broken("buffer byte", at, value(at), found);
    });
  }
}

}  // namespace

void check(const Device& device, Report& report) {
  report.buffer_address = device.buffer_address();
  report.buffer_bytes = device.buffer().bytes();
  wait_idle(device);
  check_registers(device);
  check_buffer(device.buffer());
}

}  // namespace xlic_board
