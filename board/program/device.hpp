// The accelerator as Linux shows it: registers, the buffer that it shares, its interrupt.
#ifndef XLIC_BOARD_DEVICE_HPP
#define XLIC_BOARD_DEVICE_HPP

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "xlic_isa.h"

namespace xlic_board {

namespace isa = xlic::isa;

// A file descriptor that is closed.
class Descriptor {
 public:
  explicit Descriptor(int value = -1) : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor(Descriptor&& other) noexcept : value_(other.value_) { other.value_ = -1; }
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  int get() const { return value_; }

 private:
  int value_;
};

// Memory mapped from a device. Copies use aligned 64-bit accesses only: uncached memory of an Arm
// processor faults on what memcpy may do.
class Mapping {
 public:
  Mapping(const std::string& path, std::uint64_t offset, std::uint64_t bytes);
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  std::uint64_t bytes() const { return bytes_; }
  int descriptor() const { return file_.get(); }
  volatile std::uint32_t* words() const;

  // Bounds are checked: Failure(WINDOW).
  void write(std::uint64_t at, const std::vector<std::uint8_t>& data) const;
  void fill(std::uint64_t at, std::uint64_t count, std::uint8_t value) const;
  std::vector<std::uint8_t> read(std::uint64_t at, std::uint64_t count) const;

 private:
  void check(std::uint64_t at, std::uint64_t count) const;

  Descriptor file_;
  void* base_ = nullptr;
  std::uint64_t bytes_ = 0;
};

class Device {
 public:
  // Failure(NO_DEVICE); Failure(BUSY) where another process has it: the kernel keeps it for one at
  // a time, until that ends, however it does. The buffer is mapped only if asked for.
  Device(const Arguments& arguments, bool with_buffer);

  // Whether something answers at the registers: a bus that nobody answers on ends the process.
  bool answers() const;

  std::uint32_t read(std::uint32_t address) const;
  void write(std::uint32_t address, std::uint32_t value) const;

  const Mapping& buffer() const { return *buffer_; }
  std::uint64_t buffer_address() const { return buffer_address_; }

  bool has_interrupt() const { return interrupt_ >= 0; }
  // Takes what came before; lets the next interrupt through.
  void arm_interrupt() const;
  // Whether an interrupt came within so many milliseconds.
  bool wait_interrupt(int milliseconds) const;

 private:
  Mapping registers_;
  Descriptor twin_;  // the UIO file of the same registers, where they are mapped by /dev/mem
  std::unique_ptr<Mapping> buffer_;
  std::uint64_t buffer_address_ = 0;
  Descriptor socket_;
  int interrupt_ = -1;
};

// Sizes and addresses: decimal or 0x…, from a file of sysfs. Failure(NO_DEVICE).
std::uint64_t read_number(const std::string& path);

}  // namespace xlic_board

#endif
