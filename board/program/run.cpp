#include "run.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

#include "failure.hpp"
#include "sha256.hpp"

namespace xlic_board {
namespace {

using Clock = std::chrono::steady_clock;
using Bytes = std::vector<std::uint8_t>;

constexpr std::uint8_t POISON = 0xa5;
constexpr std::uint32_t DONE_EVENT = 1;  // bit 0 of the interrupt status: ap_done
constexpr auto SETTLE = std::chrono::milliseconds(1000);
// How often the status is looked at beside waiting, so that a lost interrupt is noticed.
constexpr int LOOK_MS = 100;

bool bit(std::uint32_t word, unsigned index) { return (word >> index & 1u) != 0; }

std::string hexadecimal(std::uint64_t value, int digits) {
  char text[24];
  std::snprintf(text, sizeof text, "%0*llx", digits, static_cast<unsigned long long>(value));
  return text;
}

std::uint32_t info(const Device& device, std::uint32_t word) {
  return device.read(isa::REG_INFO + 4 * word);
}

std::uint64_t wide(std::uint32_t high, std::uint32_t low) {
  return std::uint64_t(high) << 32 | low;
}

Bytes read_file(const std::string& path, std::uint64_t most) {
  Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (file.get() < 0 || fstat(file.get(), &status) != 0) {
    throw Failure(Outcome::IO, path + ": " + std::strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) throw Failure(Outcome::IO, path + ": no regular file");
  const auto size = std::uint64_t(status.st_size);
  if (size > most) {
    throw Failure(Outcome::WINDOW, path + " has " + std::to_string(size) + " bytes, room is for " +
                                       std::to_string(most));
  }
  Bytes data(static_cast<std::size_t>(size));
  std::size_t at = 0;
  while (at < data.size()) {
    const ssize_t got = ::read(file.get(), data.data() + at, data.size() - at);
    if (got <= 0) throw Failure(Outcome::IO, path + ": cannot be read to its end");
    at += std::size_t(got);
  }
  return data;
}

void write_file(const std::string& path, const Bytes& data) {
  Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (file.get() < 0) throw Failure(Outcome::IO, path + ": " + std::strerror(errno));
  std::size_t at = 0;
  while (at < data.size()) {
    const ssize_t put = ::write(file.get(), data.data() + at, data.size() - at);
    if (put <= 0) throw Failure(Outcome::IO, path + ": " + std::strerror(errno));
    at += std::size_t(put);
  }
}

// Waits until `ready` holds, by looking; for registers that a model behind memory updates late.
template <typename Ready>
bool settles(Ready ready) {
  const auto end = Clock::now() + SETTLE;
  while (!ready()) {
    if (Clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  return true;
}

// Writes one to the done event if it is set; writing it again would set it, as it toggles.
void acknowledge(const Device& device) {
  const auto pending = [&] { return (device.read(isa::REG_INTERRUPT_STATUS) & DONE_EVENT) != 0; };
  if (!pending()) return;
  device.write(isa::REG_INTERRUPT_STATUS, DONE_EVENT);
  if (!settles([&] { return !pending(); })) {
    throw Failure(Outcome::BUSY, "the interrupt cannot be acknowledged");
  }
}

bool idle(const Device& device) {
  return bit(device.read(isa::REG_CONTROL), isa::CONTROL_IDLE);
}

void prepare(const Device& device, const Arguments& arguments) {
  acknowledge(device);
  const std::uint64_t address = device.buffer_address();
  const auto low = std::uint32_t(address), high = std::uint32_t(address >> 32);
  device.write(isa::REG_GMEM0_LOW, low);
  device.write(isa::REG_GMEM0_HIGH, high);
  device.write(isa::REG_GMEM1_LOW, low);
  device.write(isa::REG_GMEM1_HIGH, high);
  device.write(isa::REG_WINDOW_BEATS, std::uint32_t(arguments.window));
  device.write(isa::REG_PROGRAM, std::uint32_t(arguments.offset));
  device.write(isa::REG_INTERRUPT_ENABLE, DONE_EVENT);
  device.write(isa::REG_GLOBAL_INTERRUPT_ENABLE, 1);
  if (device.has_interrupt()) device.arm_interrupt();
}

// Starts and waits. The end is the done event of the interrupt status; `idle` alone could be that
// of before the start, and does not come where memory does not answer.
void start(const Device& device, const Arguments& arguments, Repeat& repeat) {
  const auto begin = Clock::now();
  const auto end = begin + std::chrono::milliseconds(arguments.timeout_ms);
  const auto done = [&] { return (device.read(isa::REG_INTERRUPT_STATUS) & DONE_EVENT) != 0; };
  device.write(isa::REG_CONTROL, 1u << isa::CONTROL_START);
  bool over = false, last = false;
  while (!repeat.interrupted && !last) {
    // Once it is known to have ended, the interrupt gets one more chance.
    last = over || Clock::now() >= end;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
    const int slice = int(std::clamp<std::int64_t>(left.count() + 1, 1, LOOK_MS));
    if (device.has_interrupt()) {
      if (device.wait_interrupt(slice)) {
        if (settles([&] { return done() || Clock::now() >= end; }) && done()) {
          repeat.interrupted = true;
        } else {
          ++repeat.spurious;
          device.arm_interrupt();
        }
      }
    } else {
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    over = done();
    if (over && !device.has_interrupt()) break;
  }
  // It may have ended at the very limit, and its interrupt be under way.
  if (!repeat.interrupted && device.has_interrupt() && done()) {
    repeat.interrupted = device.wait_interrupt(LOOK_MS);
  }
  repeat.nanoseconds = std::uint64_t(
      std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin).count());
  if (!over && !done()) {
    throw Failure(Outcome::TIMEOUT, "the accelerator did not end within " +
                                        std::to_string(arguments.timeout_ms) + " ms");
  }
  acknowledge(device);
}

void collect(const Device& device, Report& report, Repeat& repeat) {
  report.rests = settles([&] { return idle(device); });
  report.error = info(device, isa::INFO_ERROR);
  report.error_layer = info(device, isa::INFO_ERROR_LAYER);
  report.layers_done = info(device, isa::INFO_LAYERS_DONE);
  report.program = wide(info(device, isa::INFO_PROGRAM_HIGH), info(device, isa::INFO_PROGRAM_LOW));
  for (std::uint32_t layer = 0; layer < std::min(report.layers, isa::MAX_LAYERS); ++layer) {
    std::array<std::uint32_t, isa::COUNTER_WORDS> words{};
    for (std::uint32_t word = 0; word < isa::COUNTER_WORDS; ++word) {
      words[word] = device.read(isa::REG_COUNTERS + 4 * (isa::COUNTER_WORDS * layer + word));
    }
    repeat.counters.push_back(words);
  }
}

void judge(const Report& report, const isa::Header& header) {
  if (report.error != isa::ERR_NONE) {
    throw Failure(Outcome::ACCELERATOR,
                  "the accelerator stopped with error " + std::to_string(report.error) +
                      " in layer " + std::to_string(report.error_layer) +
                      (report.rests ? "" : ", and memory still owes it answers: load it again"));
  }
  if (report.layers_done != header.layers) {
    throw Failure(Outcome::ACCELERATOR, "it ran " + std::to_string(report.layers_done) +
                                            " layers of " + std::to_string(header.layers));
  }
  const std::uint64_t expected = wide(header.identity_high, header.identity_low);
  if (report.program != expected) {
    throw Failure(Outcome::ACCELERATOR, "it ran the program " + hexadecimal(report.program, 16) +
                                            ", not " + hexadecimal(expected, 16));
  }
}

isa::Header check_program(const Bytes& data, const Arguments& arguments, const Report& report) {
  if (data.size() < isa::HEADER_BEATS * isa::BEAT_BYTES) {
    throw Failure(Outcome::REFUSED, arguments.program + " is no program: too short");
  }
  std::array<std::uint32_t, isa::HEADER_RECORD_WORDS> words{};
  std::memcpy(words.data(), data.data(), sizeof words);
  const isa::Header header = isa::decode_header(words.data());
  if (header.magic != isa::MAGIC || header.version != isa::INTERFACE_VERSION) {
    throw Failure(Outcome::REFUSED, arguments.program + " is no program of this interface");
  }
  if (header.array != report.identity.array) {
    throw Failure(Outcome::REFUSED, "the program is for array " + hexadecimal(header.array, 6) +
                                        ", the accelerator has " +
                                        hexadecimal(report.identity.array, 6));
  }
  const std::uint64_t identity = wide(header.identity_high, header.identity_low);
  if (arguments.expect_program && *arguments.expect_program != identity) {
    throw Failure(Outcome::REFUSED, "the program is " + hexadecimal(identity, 16) + ", expected " +
                                        hexadecimal(*arguments.expect_program, 16));
  }
  return header;
}

std::uint64_t room(const Arguments& arguments, std::uint64_t offset, const std::string& what) {
  if (offset >= arguments.window) {
    throw Failure(Outcome::WINDOW, what + " begins at beat " + std::to_string(offset) +
                                       " of a window of " + std::to_string(arguments.window));
  }
  return (arguments.window - offset) * isa::BEAT_BYTES;
}

void check_stretch(const Arguments& arguments, const Stretch& part, const std::string& what) {
  if (part.beats * isa::BEAT_BYTES > room(arguments, part.offset, what)) {
    throw Failure(Outcome::WINDOW, what + " ends at beat " +
                                       std::to_string(part.offset + part.beats) +
                                       " of a window of " + std::to_string(arguments.window));
  }
}

// An HLS export tells its identity only when it runs: it is started with an empty window, which it
// refuses before it touches memory.
void wake(const Device& device) {
  if (!idle(device)) return;
  device.write(isa::REG_WINDOW_BEATS, 0);
  device.write(isa::REG_PROGRAM, 0);
  device.write(isa::REG_CONTROL, 1u << isa::CONTROL_START);
  if (settles([&] { return info(device, isa::INFO_MAGIC) != 0; })) wait_idle(device);
}

}  // namespace

void wait_idle(const Device& device) {
  if (settles([&] { return idle(device); })) return;
  const std::uint32_t error = info(device, isa::INFO_ERROR);
  throw Failure(Outcome::BUSY, error == isa::ERR_NONE
                                   ? "the accelerator is still running"
                                   : "the accelerator is still running, or memory owes it answers "
                                     "since its error " + std::to_string(error));
}

void identify(const Device& device, const Arguments& arguments, Report& report) {
  if (!device.answers()) {
    throw Failure(Outcome::REFUSED,
                  "nothing answers at the registers (bus error); is the logic loaded?");
  }
  Identity& found = report.identity;
  if (arguments.wake && info(device, isa::INFO_MAGIC) == 0) wake(device);
  found.magic = info(device, isa::INFO_MAGIC);
  found.version = info(device, isa::INFO_VERSION);
  if (found.magic != isa::MAGIC || found.version != isa::INTERFACE_VERSION) {
    throw Failure(Outcome::REFUSED, "no accelerator of this interface answers: magic " +
                                        hexadecimal(found.magic, 8) + ", version " +
                                        std::to_string(found.version));
  }
  found.array = info(device, isa::INFO_ARRAY);
  found.hash = wide(info(device, isa::INFO_HASH_HIGH), info(device, isa::INFO_HASH_LOW));
  found.layers = info(device, isa::INFO_LAYERS);
  for (std::uint32_t i = 0; i < found.sizes.size(); ++i) {
    found.sizes[i] = info(device, isa::INFO_INPUT_WORDS + i);
  }
  report.identified = true;
  if (arguments.expect_array && *arguments.expect_array != found.array) {
    throw Failure(Outcome::REFUSED, "the accelerator has array " + hexadecimal(found.array, 6) +
                                        ", expected " + hexadecimal(*arguments.expect_array, 6));
  }
  if (arguments.expect_hash && *arguments.expect_hash != found.hash) {
    throw Failure(Outcome::REFUSED, "the accelerator's sources hash to " +
                                        hexadecimal(found.hash, 16) + ", expected " +
                                        hexadecimal(*arguments.expect_hash, 16));
  }
}

void run(const Device& device, const Arguments& arguments, Report& report) {
  const Mapping& buffer = device.buffer();
  report.buffer_address = device.buffer_address();
  report.buffer_bytes = buffer.bytes();
  if (arguments.window * isa::BEAT_BYTES > buffer.bytes()) {
    throw Failure(Outcome::WINDOW, "the program needs a window of " +
                                       std::to_string(arguments.window * isa::BEAT_BYTES) +
                                       " bytes, the buffer has " +
                                       std::to_string(buffer.bytes()));
  }
  const Bytes program =
      read_file(arguments.program, room(arguments, arguments.offset, "the program"));
  const isa::Header header = check_program(program, arguments, report);
  report.layers = std::min(header.layers, isa::MAX_LAYERS);
  std::vector<Bytes> inputs;
  for (const Stretch& part : arguments.loads) {
    inputs.push_back(read_file(part.file, room(arguments, part.offset, part.file)));
  }
  for (const Stretch& part : arguments.poisons) check_stretch(arguments, part, "what is poisoned");
  for (const Stretch& part : arguments.fetches) check_stretch(arguments, part, part.file);
  for (std::uint64_t count = 0; count < arguments.repeat; ++count) {
    // Until it is idle, a run of before may write to the buffer.
    wait_idle(device);
    // Everything again: an earlier run's leftovers must not pass for this one's results.
    buffer.write(arguments.offset * isa::BEAT_BYTES, program);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      buffer.write(arguments.loads[i].offset * isa::BEAT_BYTES, inputs[i]);
    }
    for (const Stretch& part : arguments.poisons) {
      buffer.fill(part.offset * isa::BEAT_BYTES, part.beats * isa::BEAT_BYTES, POISON);
    }
    prepare(device, arguments);
    report.started = true;
    report.repeats.emplace_back();
    Repeat& repeat = report.repeats.back();
    try {
      start(device, arguments, repeat);
    } catch (const Failure&) {
      collect(device, report, repeat);
      throw;
    }
    collect(device, report, repeat);
    repeat.cycles = info(device, isa::INFO_CYCLES);
    judge(report, header);
    for (const Stretch& part : arguments.fetches) {
      const Bytes data =
          buffer.read(part.offset * isa::BEAT_BYTES, part.beats * isa::BEAT_BYTES);
      repeat.hashes.push_back(sha256(data));
      if (count + 1 == arguments.repeat) write_file(part.file, data);
    }
  }
  const auto lost = std::count_if(report.repeats.begin(), report.repeats.end(),
                                  [](const Repeat& repeat) { return !repeat.interrupted; });
  if (device.has_interrupt() && lost > 0) {
    throw Failure(Outcome::LOST_INTERRUPT, std::to_string(lost) + " of " +
                                               std::to_string(report.repeats.size()) +
                                               " runs ended without their interrupt");
  }
}

void write_json(Json& json, const Report& report, const Arguments& arguments) {
  if (report.identified) {
    static const char* const names[] = {"input_words", "weight_words", "param_words",
                                        "pass_words",  "tap_words",    "channels"};
    const Identity& found = report.identity;
    json.open('{', "identity").number("version", found.version).number("array", found.array);
    json.text("hash", hexadecimal(found.hash, 16)).number("layers", found.layers);
    for (std::size_t i = 0; i < found.sizes.size(); ++i) json.number(names[i], found.sizes[i]);
    json.close('}');
  }
  json.number("buffer_address", report.buffer_address).number("buffer_bytes", report.buffer_bytes);
  if (report.holder != 0) json.number("holder", std::uint64_t(report.holder));
  if (!report.started) return;
  json.number("rests", report.rests ? 1 : 0);
  json.number("error", report.error).number("error_layer", report.error_layer);
  json.number("layers_done", report.layers_done).text("program", hexadecimal(report.program, 16));
  json.open('[', "repeats");
  for (const Repeat& repeat : report.repeats) {
    json.open('{').number("nanoseconds", repeat.nanoseconds).number("cycles", repeat.cycles);
    json.number("interrupted", repeat.interrupted ? 1 : 0).number("spurious", repeat.spurious);
    json.open('[', "counters");
    for (const auto& layer : repeat.counters) {
      json.open('[');
      for (const std::uint32_t word : layer) json.number("", word);
      json.close(']');
    }
    json.close(']').open('[', "hashes");
    for (const std::string& hash : repeat.hashes) json.text("", hash);
    json.close(']').close('}');
  }
  json.close(']').open('[', "fetched");
  for (const Stretch& part : arguments.fetches) json.number("", part.beats * isa::BEAT_BYTES);
  json.close(']');
}

}  // namespace xlic_board
