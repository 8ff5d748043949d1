#include "arguments.hpp"

#include <cerrno>
#include <cstdlib>
#include <functional>
#include <map>

#include "failure.hpp"

namespace xlic_board {
namespace {

constexpr std::uint64_t MAX_BEATS = 0xffffffffu;  // what the window's register can say

std::uint64_t number(const std::string& text, std::uint64_t least, std::uint64_t most,
                     const std::string& option, int base = 0) {
  char* end = nullptr;
  errno = 0;
  const bool digit = !text.empty() && text[0] != '-' && text[0] != '+' && text[0] != ' ';
  const unsigned long long value = digit ? std::strtoull(text.c_str(), &end, base) : 0;
  if (!digit || errno != 0 || *end != '\0' || value < least || value > most) {
    throw Failure(Outcome::USAGE, option + ": '" + text + "' is no number from " +
                                      std::to_string(least) + " to " + std::to_string(most));
  }
  return value;
}

// The text before the first colon of `rest`, which it is cut off from.
std::string part(std::string& rest, const std::string& option) {
  const std::size_t colon = rest.find(':');
  if (colon == std::string::npos) {
    throw Failure(Outcome::USAGE, option + ": '" + rest + "' lacks a colon");
  }
  const std::string before = rest.substr(0, colon);
  rest = rest.substr(colon + 1);
  return before;
}

Stretch stretch(const std::string& text, const std::string& option, bool counted, bool named) {
  std::string rest = text;
  Stretch result;
  result.offset = number(part(rest, option), 0, MAX_BEATS, option);
  if (counted && named) result.beats = number(part(rest, option), 1, MAX_BEATS, option);
  if (counted && !named) result.beats = number(rest, 1, MAX_BEATS, option);
  if (named) result.file = rest;
  if (named && rest.empty()) throw Failure(Outcome::USAGE, option + " names no file");
  return result;
}

}  // namespace

const char* usage() {
  return "usage: xlic-board free [DEVICE OPTIONS] [--json FILE]   (busy: says who has the device)\n"
         "       xlic-board identify [DEVICE OPTIONS] [--json FILE]\n"
         "       xlic-board check [DEVICE OPTIONS] [--json FILE]   (overwrites the buffer)\n"
         "       xlic-board run --program FILE --offset BEATS --window BEATS [--load BEATS:FILE]…\n"
         "           [--poison BEATS:COUNT]… [--fetch BEATS:COUNT:FILE]… [--repeat N]\n"
         "           [--expect-array N] [--expect-hash HEX] [--expect-program HEX]\n"
         "           [--timeout-ms N] [--json FILE] [DEVICE OPTIONS]\n"
         "--wake 1: start it once if its identity is blank, as an HLS export's is before a run\n"
         "device options: --uio /dev/uio0, --udmabuf udmabuf0 (a name below /sys/class/u-dma-buf),\n"
         "    --interrupt SOCKET (stands in for the interrupt of a UIO file), --sysfs /sys,\n"
         "    --devices /dev; or --mem /dev/mem --registers ADDRESS --window-address ADDRESS\n"
         "    --window-bytes N (no interrupt: waits by looking)\n"
         "A beat is 16 bytes. Offsets count from the start of the window.\n"
         "exit status: 0 ok, 2 usage, 10 no device, 11 refused identity, 12 window too small,\n"
         "    13 accelerator error, 14 time-out, 15 file not readable or writable, 16 busy,\n"
         "    17 lost interrupt, 18 registers or buffer broken\n";
}

Arguments parse(int count, char** values) {
  Arguments result;
  if (count < 2) throw Failure(Outcome::USAGE, "no command");
  result.command = values[1];
  if (result.command != "free" && result.command != "identify" && result.command != "check" &&
      result.command != "run") {
    throw Failure(Outcome::USAGE, "no command '" + result.command + "'");
  }
  bool placed = false, registers = false;
  using Text = const std::string&;
  const std::uint64_t any = ~std::uint64_t(0), word = 0xffffffffu;
  const std::map<std::string, std::function<void(Text, Text)>> options = {
      {"--program", [&](Text, Text text) { result.program = text; }},
      {"--offset",
       [&](Text o, Text text) {
         result.offset = number(text, 0, MAX_BEATS, o);
         placed = true;
       }},
      {"--window", [&](Text o, Text text) { result.window = number(text, 1, MAX_BEATS, o); }},
      {"--load", [&](Text o, Text t) { result.loads.push_back(stretch(t, o, false, true)); }},
      {"--poison", [&](Text o, Text t) { result.poisons.push_back(stretch(t, o, true, false)); }},
      {"--fetch", [&](Text o, Text t) { result.fetches.push_back(stretch(t, o, true, true)); }},
      {"--expect-array",
       [&](Text o, Text t) { result.expect_array = std::uint32_t(number(t, 0, word, o)); }},
      {"--expect-hash", [&](Text o, Text t) { result.expect_hash = number(t, 0, any, o, 16); }},
      {"--expect-program",
       [&](Text o, Text t) { result.expect_program = number(t, 0, any, o, 16); }},
      {"--timeout-ms", [&](Text o, Text t) { result.timeout_ms = number(t, 1, 86400000, o); }},
      {"--repeat", [&](Text o, Text t) { result.repeat = number(t, 1, 100000, o); }},
      {"--wake", [&](Text o, Text t) { result.wake = number(t, 0, 1, o) != 0; }},
      {"--json", [&](Text, Text t) { result.json = t; }},
      {"--uio", [&](Text, Text t) { result.uio = t; }},
      {"--udmabuf", [&](Text, Text t) { result.udmabuf = t; }},
      {"--sysfs", [&](Text, Text t) { result.sysfs = t; }},
      {"--devices", [&](Text, Text t) { result.devices = t; }},
      {"--interrupt", [&](Text, Text t) { result.interrupt = t; }},
      {"--mem", [&](Text, Text t) { result.mem = t; }},
      {"--registers",
       [&](Text o, Text t) {
         result.registers = number(t, 0, any, o);
         registers = true;
       }},
      {"--window-address", [&](Text o, Text t) { result.window_address = number(t, 0, any, o); }},
      {"--window-bytes",
       [&](Text o, Text t) { result.window_bytes = number(t, 1, any >> 16, o); }},
  };
  for (int i = 2; i < count; i += 2) {
    const std::string option = values[i];
    const auto found = options.find(option);
    if (found == options.end()) throw Failure(Outcome::USAGE, "no option '" + option + "'");
    if (i + 1 >= count) throw Failure(Outcome::USAGE, option + " lacks a value");
    found->second(option, values[i + 1]);
  }
  if (result.command == "run" && (result.program.empty() || !placed || result.window == 0)) {
    throw Failure(Outcome::USAGE, "run needs --program, --offset and --window");
  }
  if (!result.mem.empty() && (!registers || result.window_bytes == 0)) {
    throw Failure(Outcome::USAGE, "--mem needs --registers, --window-address, --window-bytes");
  }
  return result;
}

}  // namespace xlic_board
