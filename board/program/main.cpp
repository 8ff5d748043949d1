// xlic-board: runs programs on the accelerator from the board's own Linux, see usage().
//
// It knows offsets in a window and files, no layers: the host compiles, this moves bytes, starts,
// waits, and tells. The result is one JSON object, on stdout or in a file that appears whole.
#include <cstdio>
#include <exception>
#include <fstream>
#include <string>

#include "arguments.hpp"
#include "check.hpp"
#include "device.hpp"
#include "failure.hpp"
#include "json.hpp"
#include "run.hpp"

namespace {

using namespace xlic_board;

void tell(const std::string& text, const std::string& path) {
  if (path.empty()) {
    std::printf("%s\n", text.c_str());
    if (std::fflush(stdout) != 0) throw Failure(Outcome::IO, "stdout cannot be written");
    return;
  }
  const std::string part = path + ".part";
  std::ofstream file(part, std::ios::trunc);
  file << text << '\n';
  file.close();
  if (!file || std::rename(part.c_str(), path.c_str()) != 0) {
    throw Failure(Outcome::IO, path + ": cannot be written");
  }
}

Outcome work(const Arguments& arguments, Report& report, std::string& message) {
  try {
    const bool running = arguments.command == "run";
    const bool checking = arguments.command == "check";
    const Device device(arguments, running || checking);
    // Nothing may answer at the registers yet: what is free can be configured.
    if (arguments.command == "free") return Outcome::OK;
    identify(device, arguments, report);
    if (running) run(device, arguments, report);
    if (checking) check(device, report);
    return Outcome::OK;
  } catch (const Failure& failure) {
    message = failure.what();
    report.holder = failure.holder();
    return failure.outcome();
  } catch (const std::exception& error) {
    message = error.what();  // out of memory
    return Outcome::IO;
  }
}

}  // namespace

int main(int count, char** values) {
  Arguments arguments;
  try {
    arguments = parse(count, values);
  } catch (const Failure& failure) {
    std::fprintf(stderr, "xlic-board: %s\n%s", failure.what(), usage());
    return int(failure.outcome());
  }
  Report report;
  std::string message;
  Outcome outcome = work(arguments, report, message);
  Json json;
  json.open('{').text("outcome", name(outcome)).text("message", message);
  write_json(json, report, arguments);
  json.close('}');
  try {
    tell(json.str(), arguments.json);
  } catch (const std::exception& error) {
    message = error.what();
    if (outcome == Outcome::OK) outcome = Outcome::IO;
  }
  if (outcome != Outcome::OK) std::fprintf(stderr, "xlic-board: %s\n", message.c_str());
  return int(outcome);
}
