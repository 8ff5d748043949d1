// Test bench: runs programs in memory windows from files and compares every byte afterwards.
//
//   tb_xlic PREFIX...
//
// reads PREFIX_window.bin, the window before the run; PREFIX_expected.bin, the same after it; and
// PREFIX_program.txt: the program's first beat, and the expected error code if it is not 0. Returns
// 0 if all runs are as expected, 1 if one is not, 2 if a file is unusable.
// `python -m xlic.accelerator.vectors FOLDER` writes such files.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "xlic_accel.hpp"

namespace {

using namespace xlic;

bool read_beats(const std::string& name, std::vector<beat_t>& beats) {
  std::ifstream file(name, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file),
                                std::istreambuf_iterator<char>()};
  if (bytes.empty() || bytes.size() % isa::BEAT_BYTES != 0) return false;
  beats.clear();
  beats.reserve(bytes.size() / isa::BEAT_BYTES);
  for (std::size_t at = 0; at < bytes.size(); at += isa::BEAT_BYTES) {
    beat_t beat = 0;
    for (std::size_t index = 0; index < isa::BEAT_BYTES; ++index) {
      beat |= beat_t(static_cast<unsigned char>(bytes[at + index])) << (8 * index);
    }
    beats.push_back(beat);
  }
  return true;
}

bool same(const beat_t& a, const beat_t& b) {
  for (std::uint32_t index = 0; index < BEAT_WORDS; ++index) {
    if (word_of(a, index) != word_of(b, index)) return false;
  }
  return true;
}

// Exit status of one run.
int run(const std::string& prefix) {
  std::vector<beat_t> window;
  std::vector<beat_t> expected;
  std::uint32_t program = 0;
  std::uint32_t expected_error = 0;
  std::ifstream text(prefix + "_program.txt");
  if (!read_beats(prefix + "_window.bin", window) ||
      !read_beats(prefix + "_expected.bin", expected) || expected.size() != window.size() ||
      !(text >> program)) {
    std::fprintf(stderr, "%s: files missing, empty, or of unequal size\n", prefix.c_str());
    return 2;
  }
  text >> expected_error;
  std::uint32_t info[isa::INFO_WORDS] = {};
  std::uint32_t counters[isa::MAX_LAYERS * isa::COUNTER_WORDS] = {};
  xlic_accel(window.data(), window.data(), std::uint32_t(window.size()), program, info, counters);
  std::printf("%s: error %u, %u layers, %u cycles of the array\n", prefix.c_str(),
              unsigned(info[isa::INFO_ERROR]), unsigned(info[isa::INFO_LAYERS_DONE]),
              unsigned(info[isa::INFO_CYCLES]));
  std::size_t different = 0;
  for (std::size_t beat = 0; beat < window.size(); ++beat) {
    if (same(window[beat], expected[beat])) continue;
    if (different++ == 0) std::printf("  first difference at beat %zu\n", beat);
  }
  if (different != 0) std::printf("  %zu of %zu beats differ\n", different, window.size());
  const bool as_expected = info[isa::INFO_ERROR] == expected_error;
  if (!as_expected) std::printf("  expected error %u\n", unsigned(expected_error));
  return different == 0 && as_expected ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) {
    std::fprintf(stderr, "usage: %s PREFIX...\n", arguments[0]);
    return 2;
  }
  int status = 0;
  for (int index = 1; index < count; ++index) {
    const int one = run(arguments[index]);
    status = one > status ? one : status;
  }
  return status;
}
