// Writing JSON: objects and arrays of numbers, texts and booleans, no more.
#ifndef XLIC_BOARD_JSON_HPP
#define XLIC_BOARD_JSON_HPP

#include <cstdint>
#include <cstdio>
#include <string>

namespace xlic_board {

class Json {
 public:
  Json& open(char bracket, const std::string& key = "") {
    begin(key);
    text_ += bracket;
    first_ = true;
    return *this;
  }
  Json& close(char bracket) {
    text_ += bracket;
    first_ = false;
    return *this;
  }
  Json& number(const std::string& key, std::uint64_t value) {
    begin(key);
    text_ += std::to_string(value);
    return *this;
  }
  Json& text(const std::string& key, const std::string& value) {
    begin(key);
    quote(value);
    return *this;
  }
  const std::string& str() const { return text_; }

 private:
  void begin(const std::string& key) {
    if (!first_) text_ += ",";
    first_ = false;
    if (!key.empty()) {
      quote(key);
      text_ += ":";
    }
  }
  void quote(const std::string& value) {
    text_ += '"';
    for (const char c : value) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        text_ += '\\';
        text_ += c;
      } else if (byte < 0x20 || byte >= 0x7f) {
        // What is no ASCII may be no UTF-8 either: file names can hold anything.
        char escaped[8];
        std::snprintf(escaped, sizeof escaped, "\\u%04x", unsigned(byte));
        text_ += escaped;
      } else {
        text_ += c;
      }
    }
    text_ += '"';
  }

  std::string text_;
  bool first_ = true;
};

}  // namespace xlic_board

#endif
