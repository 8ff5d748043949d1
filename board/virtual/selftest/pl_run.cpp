// Drives the accelerator as little as can be: what lies in the buffer is run once.
//
// usage: pl_run PROGRAM_BEAT WINDOW_BEATS SECONDS [poll]
// Waits for the interrupt (or polls), acknowledges it, prints error, layers, cycles, and the hash.
// Exit status: 0 ended, 3 did not end, 4 ended without an interrupt, 2 no device.
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>

#include "xlic_isa.h"

namespace isa = xlic::isa;

namespace {

constexpr std::uint32_t DONE = 1u << isa::CONTROL_DONE;
volatile std::uint32_t* registers;

std::uint32_t get(unsigned address) {
  const std::uint32_t value = registers[address / 4];
  __sync_synchronize();
  return value;
}

void set(unsigned address, std::uint32_t value) {
  __sync_synchronize();
  registers[address / 4] = value;
  __sync_synchronize();
}

std::uint32_t info(unsigned word) { return get(isa::REG_INFO + 4 * word); }

}  // namespace

int main(int count, char** arguments) {
  std::uint32_t enable = 1, interrupts = 0;
  std::uint64_t address = 0;
  std::FILE* file = std::fopen("/sys/class/u-dma-buf/udmabuf0/phys_addr", "r");
  const int uio = open("/dev/uio0", O_RDWR | O_SYNC);
  if (count < 4 || !file || uio < 0 || std::fscanf(file, "%" SCNi64, reinterpret_cast<std::int64_t*>(&address)) != 1) {
    std::fprintf(stderr, "usage: pl_run PROGRAM_BEAT WINDOW_BEATS SECONDS [poll]\n");
    return 2;
  }
  void* mapped = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, uio, 0);
  if (mapped == MAP_FAILED) return 2;
  registers = static_cast<volatile std::uint32_t*>(mapped);
  for (const unsigned low : {isa::REG_GMEM0_LOW, isa::REG_GMEM1_LOW}) {
    set(low, std::uint32_t(address));
    set(low + 4, std::uint32_t(address >> 32));
  }
  set(isa::REG_PROGRAM, std::uint32_t(std::strtoul(arguments[1], nullptr, 0)));
  set(isa::REG_WINDOW_BEATS, std::uint32_t(std::strtoul(arguments[2], nullptr, 0)));
  set(isa::REG_INTERRUPT_ENABLE, 1);
  set(isa::REG_GLOBAL_INTERRUPT_ENABLE, 1);
  if (write(uio, &enable, sizeof enable) != ssize_t(sizeof enable)) return 2;
  set(isa::REG_CONTROL, 1u << isa::CONTROL_START);
  const bool polls = count > 4;
  long left = std::strtol(arguments[3], nullptr, 0) * 1000;
  if (polls) {
    for (; left > 0 && !(get(isa::REG_CONTROL) & DONE); --left) usleep(1000);
  } else {
    pollfd waiting{uio, POLLIN, 0};
    if (poll(&waiting, 1, int(left)) == 1 &&
        read(uio, &interrupts, sizeof interrupts) != ssize_t(sizeof interrupts)) {
      return 2;
    }
  }
  if (!(get(isa::REG_CONTROL) & DONE)) {
    std::printf("running\n");
    return 3;
  }
  const std::uint32_t status = get(isa::REG_INTERRUPT_STATUS) & 1;
  set(isa::REG_INTERRUPT_STATUS, 1);
  std::printf("error %u layers %u cycles %u status %u hash %08x%08x\n", info(isa::INFO_ERROR),
              info(isa::INFO_LAYERS_DONE), info(isa::INFO_CYCLES), status,
              info(isa::INFO_HASH_HIGH), info(isa::INFO_HASH_LOW));
  return polls || interrupts ? 0 : 4;
}
