#include "device.hpp"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "failure.hpp"

namespace xlic_board {
namespace {

constexpr std::uint64_t PAGE = 4096;

[[noreturn]] void refuse(const std::string& path, const std::string& what) {
  throw Failure(Outcome::NO_DEVICE, path + ": " + what);
}

std::string reason() { return std::strerror(errno); }

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// Stores and loads of both sides in order, also with respect to a device.
void barrier() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
#if defined(__aarch64__)
  asm volatile("dsb sy" ::: "memory");
#endif
}

std::uint64_t register_bytes(const Arguments& arguments) {
  struct stat status {};
  if (stat(arguments.uio.c_str(), &status) != 0) refuse(arguments.uio, reason());
  if (S_ISREG(status.st_mode)) return std::uint64_t(status.st_size);
  return read_number(arguments.sysfs + "/class/uio/" + base_name(arguments.uio) +
                     "/maps/map0/size");
}

// Locks bytes of a file (0: all) for this process. A record lock, as it names its holder; it would
// go with any other descriptor of the same file that this process closes, so there is none.
void lock(int file, const std::string& path, std::uint64_t at, std::uint64_t count) {
  struct flock wanted {};
  wanted.l_type = F_WRLCK;
  wanted.l_whence = SEEK_SET;
  wanted.l_start = off_t(at);
  wanted.l_len = off_t(count);
  while (fcntl(file, F_SETLK, &wanted) != 0) {
    if (errno != EAGAIN && errno != EACCES && errno != EINTR) {
      refuse(path, "cannot be locked: " + reason());
    }
    struct flock holder = wanted;
    if (fcntl(file, F_GETLK, &holder) != 0) holder.l_pid = 0;
    if (holder.l_type == F_UNLCK) continue;
    // One in another name space of processes has no number here.
    const int process = holder.l_pid > 0 ? int(holder.l_pid) : 0;
    const std::string who = process != 0 ? "process " + std::to_string(process) : "another process";
    throw Failure(Outcome::BUSY, path + " is in use by " + who, process);
  }
}

// The UIO file of the registers at an address, empty if they have none.
std::string uio_file(const Arguments& arguments, std::uint64_t address) {
  std::error_code none;
  const std::string folder = arguments.sysfs + "/class/uio";
  for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
    const std::string first = entry.path().string() + "/maps/map0/addr";
    if (std::filesystem::exists(first, none) && read_number(first) == address) {
      return arguments.devices + "/" + entry.path().filename().string();
    }
  }
  return "";
}

sigjmp_buf unanswered;

extern "C" void on_bus_error(int) { siglongjmp(unanswered, 1); }

Descriptor connected(const std::string& path) {
  Descriptor result(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) refuse(path, "the name is too long");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (result.get() < 0 ||
      connect(result.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    refuse(path, reason());
  }
  return result;
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(value_, other.value_);
  return *this;
}

Descriptor::~Descriptor() {
  if (value_ >= 0) close(value_);
}

Mapping::Mapping(const std::string& path, std::uint64_t offset, std::uint64_t bytes)
    // Without O_SYNC the mapping would be cached, and the ports are not coherent.
    : file_(open(path.c_str(), O_RDWR | O_SYNC | O_CLOEXEC)), bytes_(bytes) {
  if (file_.get() < 0) refuse(path, reason());
  if (bytes == 0) refuse(path, "it has no memory");
  if (offset % PAGE != 0) refuse(path, "the address is no multiple of 4096");
  void* base = mmap(nullptr, std::size_t(bytes), PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(),
                    off_t(offset));
  if (base == MAP_FAILED) refuse(path, "cannot map " + std::to_string(bytes) + " bytes: " + reason());
  base_ = base;
}

Mapping::~Mapping() {
  if (base_ != nullptr) munmap(base_, std::size_t(bytes_));
}

volatile std::uint32_t* Mapping::words() const {
  return static_cast<volatile std::uint32_t*>(base_);
}

void Mapping::check(std::uint64_t at, std::uint64_t count) const {
  if (at % 8 != 0 || at > bytes_ || count > bytes_ - at) {
    throw Failure(Outcome::WINDOW, "bytes " + std::to_string(at) + " … " +
                                       std::to_string(at + count) + " of a buffer of " +
                                       std::to_string(bytes_));
  }
}

void Mapping::write(std::uint64_t at, const std::vector<std::uint8_t>& data) const {
  const std::uint64_t whole = (data.size() + 7) / 8;
  check(at, whole * 8);
  volatile std::uint64_t* target = static_cast<volatile std::uint64_t*>(base_) + at / 8;
  for (std::uint64_t i = 0; i < whole; ++i) {
    std::uint64_t value = 0;
    std::memcpy(&value, data.data() + 8 * i, std::size_t(std::min<std::uint64_t>(8, data.size() - 8 * i)));
    target[i] = value;
  }
  barrier();
}

void Mapping::fill(std::uint64_t at, std::uint64_t count, std::uint8_t value) const {
  check(at, count);
  volatile std::uint64_t* target = static_cast<volatile std::uint64_t*>(base_) + at / 8;
  for (std::uint64_t i = 0; i < count / 8; ++i) target[i] = 0x0101010101010101u * value;
  barrier();
}

std::vector<std::uint8_t> Mapping::read(std::uint64_t at, std::uint64_t count) const {
  check(at, count);
  barrier();
  const volatile std::uint64_t* source = static_cast<volatile std::uint64_t*>(base_) + at / 8;
  std::vector<std::uint8_t> data(static_cast<std::size_t>(count));
  for (std::uint64_t i = 0; i < count / 8; ++i) {
    const std::uint64_t value = source[i];
    std::memcpy(data.data() + 8 * i, &value, 8);
  }
  return data;
}

Device::Device(const Arguments& arguments, bool with_buffer)
    : registers_(arguments.mem.empty() ? arguments.uio : arguments.mem,
                 arguments.mem.empty() ? 0 : arguments.registers,
                 arguments.mem.empty() ? std::min(register_bytes(arguments), PAGE) : PAGE) {
  constexpr std::uint32_t END =
      isa::REG_COUNTERS + 4 * isa::MAX_LAYERS * isa::COUNTER_WORDS;
  if (registers_.bytes() < END) refuse(arguments.uio, "its registers are too few");
  if (arguments.mem.empty()) {
    lock(registers_.descriptor(), arguments.uio, 0, 0);
  } else {
    lock(registers_.descriptor(), arguments.mem, arguments.registers, PAGE);
    const std::string twin = uio_file(arguments, arguments.registers);
    twin_ = Descriptor(twin.empty() ? -1 : open(twin.c_str(), O_RDWR | O_CLOEXEC));
    if (twin_.get() >= 0) lock(twin_.get(), twin, 0, 0);
  }
  if (!arguments.interrupt.empty()) {
    socket_ = connected(arguments.interrupt);
    interrupt_ = socket_.get();
  } else if (arguments.mem.empty()) {
    interrupt_ = registers_.descriptor();
  }
  if (!with_buffer) return;
  std::string path = arguments.mem;
  std::uint64_t offset = arguments.window_address, bytes = arguments.window_bytes;
  buffer_address_ = arguments.window_address;
  if (arguments.mem.empty()) {
    // The driver's class had another name before its version 3.
    std::string folder = arguments.sysfs + "/class/u-dma-buf/" + arguments.udmabuf;
    if (access(folder.c_str(), F_OK) != 0) {
      folder = arguments.sysfs + "/class/udmabuf/" + arguments.udmabuf;
    }
    path = arguments.devices + "/" + arguments.udmabuf;
    offset = 0;
    buffer_address_ = read_number(folder + "/phys_addr");
    bytes = read_number(folder + "/size");
  }
  if (buffer_address_ % PAGE != 0) refuse(path, "its address is no multiple of 4096");
  buffer_ = std::make_unique<Mapping>(path, offset, bytes / isa::BEAT_BYTES * isa::BEAT_BYTES);
}

bool Device::answers() const {
  struct sigaction action {}, before {};
  action.sa_handler = on_bus_error;
  sigaction(SIGBUS, &action, &before);
  volatile bool answered = false;
  if (sigsetjmp(unanswered, 1) == 0) {
    read(isa::REG_CONTROL);
    answered = true;
  }
  sigaction(SIGBUS, &before, nullptr);
  return answered;
}

std::uint32_t Device::read(std::uint32_t address) const {
  barrier();
  const std::uint32_t value = registers_.words()[address / 4];
  barrier();
  return value;
}

void Device::write(std::uint32_t address, std::uint32_t value) const {
  barrier();
  registers_.words()[address / 4] = value;
  barrier();
}

void Device::arm_interrupt() const {
  while (wait_interrupt(0)) {
  }
  const std::uint32_t enable = 1;
  if (::write(interrupt_, &enable, sizeof enable) != ssize_t(sizeof enable)) {
    refuse("interrupt", "cannot be enabled: " + reason());
  }
}

bool Device::wait_interrupt(int milliseconds) const {
  pollfd waiting{interrupt_, POLLIN, 0};
  const int ready = poll(&waiting, 1, milliseconds);
  if (ready < 0 && errno != EINTR) refuse("interrupt", "cannot be waited for: " + reason());
  if (ready <= 0) return false;
  std::uint32_t count = 0;
  const ssize_t got = ::read(interrupt_, &count, sizeof count);
  if (got != ssize_t(sizeof count)) refuse("interrupt", "cannot be read: " + reason());
  return true;
}

std::uint64_t read_number(const std::string& path) {
  std::ifstream file(path);
  std::string text;
  if (!(file >> text)) refuse(path, "cannot be read");
  try {
    std::size_t used = 0;
    const std::uint64_t value = std::stoull(text, &used, 0);
    if (used == text.size()) return value;
  } catch (const std::exception&) {
  }
  refuse(path, "holds '" + text + "', no number");
}

}  // namespace xlic_board
