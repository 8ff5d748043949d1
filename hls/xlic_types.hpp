// Widths of everything that the datapath carries (docs/int16.md), and streams between processes.
//
// With the vendor's headers in reach the types have exactly these widths. A host compiler without
// them takes the next larger native type: only a sum can leave the stated width, and is wrapped, so
// the results are the same.
#ifndef XLIC_TYPES_HPP
#define XLIC_TYPES_HPP

#include <cstddef>
#include <cstdint>

#ifndef XLIC_VENDOR_TYPES
#if defined(__has_include)
#if __has_include(<ap_int.h>) && __has_include(<hls_stream.h>)
#define XLIC_VENDOR_TYPES 1
#endif
#endif
#endif
#ifndef XLIC_VENDOR_TYPES
#define XLIC_VENDOR_TYPES 0
#endif

#if XLIC_VENDOR_TYPES
#include <ap_int.h>
#include <hls_stream.h>
#else
#include <vector>
#endif

namespace xlic {

#if XLIC_VENDOR_TYPES

typedef ap_uint<128> beat_t;
typedef ap_int<16> pixel_t;      // of a feature map
typedef ap_int<16> weight_t;     // of a kernel or γ
typedef ap_int<17> operand_t;    // a pixel, or the magnitude of one: 0 … 32768
typedef ap_int<33> product_t;
typedef ap_int<48> acc_t;
typedef ap_uint<24> norm_t;      // normalizer of GDN and IGDN
typedef ap_int<25> factor_t;     // the same as a signed factor
typedef ap_uint<52> dividend_t;  // |x| · 2^k + n/2

// 17 × 16 bits: one multiplier of a DSP.
inline product_t product(const operand_t& operand, const weight_t& weight) {
#pragma HLS INLINE
  return operand * weight;
}

// What 48 bits keep of a sum.
inline acc_t wrapped(const acc_t& sum) {
#pragma HLS INLINE
  return sum;
}

template <typename T>
using stream = hls::stream<T>;

#else

__extension__ typedef unsigned __int128 beat_t;
typedef std::int16_t pixel_t;
typedef std::int16_t weight_t;
typedef std::int32_t operand_t;
typedef std::int64_t product_t;
typedef std::int64_t acc_t;
typedef std::uint32_t norm_t;
typedef std::int64_t factor_t;
typedef std::uint64_t dividend_t;

// Widened first: compilers know this form as a vector instruction.
inline product_t product(operand_t operand, weight_t weight) {
  return product_t(operand) * weight;
}

// What 48 bits keep of a sum: programs may ask for more than the contract lets them.
inline acc_t wrapped(acc_t sum) {
  return static_cast<acc_t>(static_cast<std::uint64_t>(sum) << 16) >> 16;
}

// A FIFO without an end: on a host one process runs to its end before the next one starts.
template <typename T>
class stream {
 public:
  stream() { values_.reserve(4096); }
  void write(const T& value) { values_.push_back(value); }
  T read() {
    const T value = values_[next_];
    if (++next_ == values_.size()) {
      values_.clear();
      next_ = 0;
    }
    return value;
  }

 private:
  std::vector<T> values_;
  std::size_t next_ = 0;
};

#endif

constexpr std::uint32_t BEAT_WORDS = 4;

inline std::uint32_t word_of(const beat_t& beat, std::uint32_t index) {
#pragma HLS INLINE
  return static_cast<std::uint32_t>(beat >> (32 * index));
}

inline std::uint16_t half_of(const beat_t& beat, std::uint32_t index) {
#pragma HLS INLINE
  return static_cast<std::uint16_t>(static_cast<std::uint32_t>(beat >> (16 * index)));
}

// ⌈a / b⌉
constexpr std::uint32_t quotient_up(std::uint32_t a, std::uint32_t b) { return (a + b - 1) / b; }

template <typename T>
inline T least(T a, T b) {
#pragma HLS INLINE
  return b < a ? b : a;
}

}  // namespace xlic

#endif
