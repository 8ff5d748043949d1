// SHA-256 (FIPS 180-4), to tell the host what was read without sending it twice.
#ifndef XLIC_BOARD_SHA256_HPP
#define XLIC_BOARD_SHA256_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace xlic_board {

// Lower-case hexadecimal digest.
std::string sha256(const std::vector<std::uint8_t>& data);

}  // namespace xlic_board

#endif
