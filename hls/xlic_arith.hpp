// The arithmetic of docs/int16.md behind the accumulator: every rounding, clip and count.
#ifndef XLIC_ARITH_HPP
#define XLIC_ARITH_HPP

#include "xlic_isa.h"
#include "xlic_types.hpp"

namespace xlic {

constexpr std::int32_t PIXEL_MIN = -32768;
constexpr std::int32_t PIXEL_MAX = 32767;
constexpr std::uint32_t NORM_MAX = (1u << 24) - 1;

// sat16; counts in `clipped`.
template <typename T>
inline pixel_t saturate(const T& value, std::uint32_t& clipped) {
#pragma HLS INLINE
  if (value < PIXEL_MIN) {
    ++clipped;
    return pixel_t(PIXEL_MIN);
  }
  if (value > PIXEL_MAX) {
    ++clipped;
    return pixel_t(PIXEL_MAX);
  }
  return pixel_t(value);
}

// (sum + bias) >> shift; the bias holds the rounding half.
inline acc_t rescale(acc_t sum, const isa::Param& param) {
#pragma HLS INLINE
  return acc_t(wrapped(acc_t(sum + acc_t(param.bias))) >> param.shift);
}

// Of a symbol that enters the decoder: sat16((s << f) + offset). f is 0 … 15.
inline pixel_t symbol_to_pixel(std::int32_t symbol, const isa::Param& param,
                               std::uint32_t& clipped) {
#pragma HLS INLINE
  const std::int64_t scaled = std::int64_t(symbol) * (std::int64_t(1) << (param.shift & 15u));
  return saturate(scaled + param.bias, clipped);
}

// Of the picture: min(max(v, 0), 255).
inline pixel_t to_byte(acc_t value) {
#pragma HLS INLINE
  if (value < 0) return pixel_t(0);
  if (value > 255) return pixel_t(255);
  return pixel_t(value);
}

// min(max(v, 1), 2^24 − 1); upper clips are counted.
inline norm_t to_norm(acc_t value, std::uint32_t& clipped) {
#pragma HLS INLINE
  if (value > acc_t(NORM_MAX)) {
    ++clipped;
    return norm_t(NORM_MAX);
  }
  return value < 1 ? norm_t(1) : norm_t(value);
}

// sign(x) · ((|x| · 2^k + n/2) div n); k is 0 … 36.
inline pixel_t divide(pixel_t x, norm_t norm, std::uint32_t k, std::uint32_t& clipped) {
#pragma HLS INLINE
  const operand_t wide = x;
  const bool negative = wide < 0;
  const dividend_t magnitude = dividend_t(negative ? operand_t(-wide) : wide);
  const dividend_t dividend = dividend_t(dividend_t(magnitude << (k & 63u)) + (norm >> 1));
  const dividend_t quotient = dividend_t(dividend / norm);
  // Beyond this all quotients saturate alike, and a sign fits.
  const std::int32_t bounded =
      quotient > dividend_t(1u << 16) ? 1 << 16 : static_cast<std::int32_t>(quotient);
  return saturate(negative ? -bounded : bounded, clipped);
}

// (x · n + 2^(k−1)) >> k; k is 1 … 47.
inline pixel_t multiply_by_norm(pixel_t x, norm_t norm, std::uint32_t k, std::uint32_t& clipped) {
#pragma HLS INLINE
  k &= 63u;
  const acc_t half = k == 0 ? acc_t(0) : acc_t(acc_t(1) << (k - 1));
  const acc_t product = acc_t(x * factor_t(norm));
  return saturate(acc_t(acc_t(product + half) >> k), clipped);
}

}  // namespace xlic

#endif
