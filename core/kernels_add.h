// Args of MatAdd, the product of a matrix of signs and one of whole numbers; part of
// core/kernels.h.
//
// Signs are bits: a row of `channels` codes +-1 is sign_bytes(channels) bytes, bit c % 8 of byte
// c / 8 set where code c is -1; bits beyond the last are ignored.
#pragma once

#include <cstdint>

namespace shiftadd {

inline int64_t sign_bytes(int64_t channels) { return (channels + 7) / 8; }

/// How sums are found; all give the same integers.
enum class MatAddForm : uint8_t {
  kFastest,  // what was measured to be the faster one for such a shape on such a CPU
  kDot,      // signs become int8 +-1, and int8 dot products add them up
  kTable,    // all sums of four numbers are made once and looked up by four bits
};

/// k^T v for each of `products` images and heads: out[c, j] = sum over t of +-v[t, j] with the sign
/// of code (t, c). tokens < 2^24, so that no sum overflows.
struct MatAddKeysArgs {
  int64_t products, tokens, channels, columns;
  const uint8_t* signs;  // (products, tokens, sign_bytes(channels))
  const int8_t* v;       // (products, tokens, columns)
  int32_t* out;          // (products, channels, columns)
  MatAddForm form = MatAddForm::kFastest;
};

/// q (k^T v): out[t, j] = sum over c of +-m[c, j] with the sign of code (t, c). The caller sees to
/// it that no sum leaves int32: after MatAddKeysArgs, 128 tokens channels < 2^31.
struct MatAddQueriesArgs {
  int64_t products, tokens, channels, columns;
  const uint8_t* signs;  // (products, tokens, sign_bytes(channels))
  const int32_t* m;      // (products, channels, columns)
  int32_t* out;          // (products, tokens, columns)
};

}  // namespace shiftadd
