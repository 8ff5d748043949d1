// Stands in for device.hpp.
#ifndef XLIC_BOARD_DEVICE_HPP
#define XLIC_BOARD_DEVICE_HPP

#include <cstdint>
#include <vector>

#include "xlic_isa.h"

namespace xlic_board {
namespace isa = xlic::isa;

struct Mapping {
  std::uint64_t bytes() const { return 4 << 20; }
  void write(std::uint64_t at, const std::vector<std::uint8_t>& data) const;
  std::vector<std::uint8_t> read(std::uint64_t at, std::uint64_t count) const;
};

struct Device {
  Mapping mapping;
  std::uint32_t read(std::uint32_t address) const;
  void write(std::uint32_t address, std::uint32_t value) const;
  const Mapping& buffer() const { return mapping; }
  std::uint64_t buffer_address() const { return 0; }
};

}  // namespace xlic_board

#endif
