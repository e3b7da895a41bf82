// Emulation of the matrix products of a warp.
#include "cuda/simt/mma_host.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "cuda/simt/executor.h"

namespace shiftadd::simt {
namespace {

constexpr int kRows = 16, kColumns = 8, kLanes = 32;

// Four numbers, which each 64-bit CPU adds and multiplies at once: two of them are a row.
typedef float Four __attribute__((vector_size(16)));
typedef int32_t FourIntegers __attribute__((vector_size(16)));

// The operands as matrices of numbers. Register r of a holds row lane / 4 + 8 (r % 2), from column
// kPacked (lane % 4 + 4 (r / 2)) on; register r of b column lane / 4, from row
// kPacked (lane % 4 + 4 r) on.
template <int kPacked>
struct Matrices {
  static constexpr int kDepth = 8 * kPacked;
  alignas(32) float a[kRows][kDepth];
  alignas(32) float b[kDepth][kColumns];
};

template <int kPacked>
struct Numbers {
  float values[kPacked];
};

template <int kPacked, class Unpack>
void gather(void* const* operands, Matrices<kPacked>& to, Unpack unpack) {
  for (int lane = 0; lane < kLanes; ++lane) {
    const auto& operand = *static_cast<const MmaOperand*>(operands[lane]);
    const int group = lane / 4, quad = lane % 4;
    for (int r = 0; r < 4; ++r) {
      const Numbers<kPacked> numbers = unpack(operand.a[r]);
      float* row = to.a[group + 8 * (r % 2)] + (quad + 4 * (r / 2)) * kPacked;
      std::memcpy(row, numbers.values, sizeof numbers.values);
    }
    for (int r = 0; r < 2; ++r) {
      const Numbers<kPacked> numbers = unpack(operand.b[r]);
      for (int i = 0; i < kPacked; ++i)
        to.b[(quad + 4 * r) * kPacked + i][group] = numbers.values[i];
    }
  }
}

// Element i of a lane's d: row lane / 4 + 8 (i / 2), column 2 (lane % 4) + i % 2.
template <class Element, class Function>
void for_each_element(void* const* operands, Function function) {
  for (int lane = 0; lane < kLanes; ++lane) {
    auto* d = static_cast<Element*>(static_cast<const MmaOperand*>(operands[lane])->d);
    for (int i = 0; i < 4; ++i) function(d[i], lane / 4 + 8 * (i / 2), lane % 4 * 2 + i % 2);
  }
}

template <int kPacked>
void multiply(const Matrices<kPacked>& in, float (&sums)[kRows][kColumns]) {
  for (int m = 0; m < kRows; ++m) {
    Four left, right;
    std::memcpy(&left, sums[m], sizeof left);
    std::memcpy(&right, sums[m] + 4, sizeof right);
    for (int k = 0; k < in.kDepth; ++k) {
      Four b_left, b_right;
      std::memcpy(&b_left, in.b[k], sizeof b_left);
      std::memcpy(&b_right, in.b[k] + 4, sizeof b_right);
      left += in.a[m][k] * b_left;
      right += in.a[m][k] * b_right;
    }
    std::memcpy(sums[m], &left, sizeof left);
    std::memcpy(sums[m] + 4, &right, sizeof right);
  }
}

// The sum of the terms in fixed point, in which the largest has a float's 24 bits and one more, and
// what is below is cut off: the products' bits first, then the sum's. Tensor cores differ in how
// many bits they keep; few keep less.
float add_truncated(const float* terms, int count) {
  constexpr int kFloatBits = 24, kBits = kFloatBits + 1, kNone = INT32_MIN;
  int largest = kNone;
  float plain = 0;
  for (int i = 0; i < count; ++i) {
    plain += terms[i];
    if (terms[i] != 0) largest = std::max(largest, std::ilogb(terms[i]));
  }
  if (!std::isfinite(plain) || largest == kNone) return plain;
  int64_t sum = 0;
  for (int i = 0; i < count; ++i)
    sum += static_cast<int64_t>(std::ldexp(terms[i], kBits - 1 - largest));
  const int bits = 64 - std::countl_zero(static_cast<uint64_t>(std::abs(sum)));
  const int64_t last_place = int64_t{1} << std::max(0, bits - kFloatBits);
  return std::ldexp(static_cast<float>(sum / last_place * last_place), largest - kBits + 1);
}

void multiply_truncated(const Matrices<2>& in, float (&sums)[kRows][kColumns]) {
  constexpr int kTerms = 8;
  for (int m = 0; m < kRows; ++m)
    for (int n = 0; n < kColumns; ++n)
      for (int k = 0; k < in.kDepth; k += kTerms) {
        float terms[kTerms + 1] = {sums[m][n]};
        for (int i = 0; i < kTerms; ++i) terms[i + 1] = in.a[m][k + i] * in.b[k + i][n];
        sums[m][n] = add_truncated(terms, kTerms + 1);
      }
}

}  // namespace

// Sums of 32 products of int8 numbers are below 2^24: floats hold them exactly.
void multiply_s8(void* const* operands, uint32_t) {
  Matrices<4> in;
  float sums[kRows][kColumns] = {};
  gather(operands, in, [](uint32_t packed) {
    // Each byte becomes the highest of its number, and is shifted down with its sign.
    const FourIntegers highest = {static_cast<int32_t>(packed << 24),
                                  static_cast<int32_t>(packed << 16),
                                  static_cast<int32_t>(packed << 8), static_cast<int32_t>(packed)};
    return std::bit_cast<Numbers<4>>(__builtin_convertvector(highest >> 24, Four));
  });
  multiply(in, sums);
  for_each_element<int32_t>(operands, [&](int32_t& d, int m, int n) {
    d = static_cast<int32_t>(static_cast<uint32_t>(d) +
                             static_cast<uint32_t>(static_cast<int32_t>(sums[m][n])));
  });
}

void multiply_bf16(void* const* operands, uint32_t) {
  Matrices<2> in;
  float sums[kRows][kColumns];
  gather(operands, in, [](uint32_t packed) {
    return Numbers<2>{std::bit_cast<float>(packed << 16),
                      std::bit_cast<float>(packed & 0xffff0000)};
  });
  for_each_element<float>(operands, [&](float& d, int m, int n) { sums[m][n] = d; });
  if (options().truncates)
    multiply_truncated(in, sums);
  else
    multiply(in, sums);
  for_each_element<float>(operands, [&](float& d, int m, int n) { d = sums[m][n]; });
}

}  // namespace shiftadd::simt
