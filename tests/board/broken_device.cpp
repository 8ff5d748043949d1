// check.cpp on registers and a buffer with a fault in them: `check FAULT` exits as xlic-board does.
#include <cstdio>
#include <string>

#include "check.hpp"
#include "failure.hpp"

static std::string fault;

namespace xlic_board {

static std::uint32_t registers[1024];
static std::uint8_t memory[4 << 20];

std::uint32_t Device::read(std::uint32_t address) const {
  std::uint32_t value = registers[address / 4];
  if (fault == "bit stuck" && address == isa::REG_PROGRAM) value |= 1u << 7;
  return value;
}

void Device::write(std::uint32_t address, std::uint32_t value) const {
  if (fault == "one register" && address == isa::REG_GMEM1_HIGH) address = isa::REG_GMEM0_HIGH;
  if (fault == "not written" && address == isa::REG_WINDOW_BEATS) return;
  registers[address / 4] = value;
}

static std::uint64_t place(std::uint64_t at) {
  return fault == "address line" ? at & ~(std::uint64_t(1) << 20) : at;
}

void Mapping::write(std::uint64_t at, const std::vector<std::uint8_t>& data) const {
  for (std::size_t i = 0; i < data.size(); ++i) memory[place(at + i)] = data[i];
}

std::vector<std::uint8_t> Mapping::read(std::uint64_t at, std::uint64_t count) const {
  std::vector<std::uint8_t> data(count);
  for (std::size_t i = 0; i < count; ++i) data[i] = memory[place(at + i)];
  if (fault == "data line") data[3] |= 1;
  if (fault == "last word" && at + count == sizeof memory) data[0] ^= 1;
  return data;
}

void wait_idle(const Device&) {}

}  // namespace xlic_board

int main(int, char** words) {
  fault = words[1];
  try {
    xlic_board::Report report;
    check({}, report);
    return report.buffer_bytes == 4 << 20 ? 0 : 1;
  } catch (const xlic_board::Failure& failure) {
    std::puts(failure.what());
    return int(failure.outcome());
  }
}
