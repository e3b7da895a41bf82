// 4-bit codes, as a model file stores them, to int8 panels: a group of a panel is 16 rows of 16
// words of four codes; transposed first, while the codes are small, then each code is looked up.
// Generic: two codes are looked up at once and stored where they belong.
#pragma once

#include "core/cpu/simd/vec.h"
#include "core/kernels/int8.h"
#include "core/parallel.h"

namespace shiftadd {
namespace {

// 128 more than the weight of each nibble.
alignas(16) constexpr uint8_t kWeightOfNibble[16] = {128, 129, 130, 132, 136, 144, 160, 192,
                                                     128, 127, 126, 124, 120, 112, 96,  64};

#if defined(__AVX2__)

// Sixteen rows of sixteen 16-bit words, transposed.
SHIFTADD_INLINE void transpose_words(__m256i (&r)[16]) {
  __m256i t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {  // t[i], t[i + 8]: words 0..3 and 4..7 of each half of two rows
    t[i] = _mm256_unpacklo_epi16(r[2 * i], r[2 * i + 1]);
    t[i + 8] = _mm256_unpackhi_epi16(r[2 * i], r[2 * i + 1]);
  }
#pragma GCC unroll 8
  for (int i = 0; i < 4; ++i) {  // r[4 q + i]: words 2 q, 2 q + 1 of rows 4 i ..
    r[i] = _mm256_unpacklo_epi32(t[2 * i], t[2 * i + 1]);
    r[4 + i] = _mm256_unpackhi_epi32(t[2 * i], t[2 * i + 1]);
    r[8 + i] = _mm256_unpacklo_epi32(t[8 + 2 * i], t[8 + 2 * i + 1]);
    r[12 + i] = _mm256_unpackhi_epi32(t[8 + 2 * i], t[8 + 2 * i + 1]);
  }
#pragma GCC unroll 4
  for (int q = 0; q < 4; ++q) {  // t: word 2 q (then 2 q + 1) of rows 0..7 and of rows 8..15
    t[4 * q] = _mm256_unpacklo_epi64(r[4 * q], r[4 * q + 1]);
    t[4 * q + 1] = _mm256_unpacklo_epi64(r[4 * q + 2], r[4 * q + 3]);
    t[4 * q + 2] = _mm256_unpackhi_epi64(r[4 * q], r[4 * q + 1]);
    t[4 * q + 3] = _mm256_unpackhi_epi64(r[4 * q + 2], r[4 * q + 3]);
  }
#pragma GCC unroll 8
  for (int w = 0; w < 8; ++w) {
    r[w] = _mm256_permute2x128_si256(t[2 * w], t[2 * w + 1], 0x20);
    r[w + 8] = _mm256_permute2x128_si256(t[2 * w], t[2 * w + 1], 0x31);
  }
}

// 64 weights of 64 nibbles.
SHIFTADD_INLINE void store_weights(__m256i nibbles, uint8_t* out) {
  const __m128i table = _mm_load_si128(reinterpret_cast<const __m128i*>(kWeightOfNibble));
#if defined(__AVX512F__)
  const __m512i words = _mm512_cvtepu8_epi16(nibbles);
  const __m512i bytes =
      _mm512_and_si512(_mm512_or_si512(words, _mm512_slli_epi16(words, 4)), _mm512_set1_epi8(15));
  _mm512_store_si512(out, _mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), bytes));
#else
  const __m128i halves[2] = {_mm256_castsi256_si128(nibbles), _mm256_extracti128_si256(nibbles, 1)};
  for (int i = 0; i < 2; ++i) {
    const __m256i words = _mm256_cvtepu8_epi16(halves[i]);
    const __m256i bytes =
        _mm256_and_si256(_mm256_or_si256(words, _mm256_slli_epi16(words, 4)), _mm256_set1_epi8(15));
    _mm256_store_si256(reinterpret_cast<__m256i*>(out) + i,
                       _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), bytes));
  }
#endif
}

// A group of the panel whose first row is stored at `nibbles`, `rows` of its 16 rows there.
SHIFTADD_INLINE void expand_group(const uint8_t* nibbles, int64_t stride, int64_t rows,
                                  uint8_t* out) {
  __m256i words[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i)
    words[i] = i < rows ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(nibbles + i * stride))
                        : _mm256_setzero_si256();
  transpose_words(words);
#pragma GCC unroll 16
  for (int q = 0; q < 16; ++q) store_weights(words[q], out + q * 64);
}

#else

struct WeightPairs {
  uint8_t of[256][2] = {};
  constexpr WeightPairs() {
    for (int byte = 0; byte < 256; ++byte) {
      of[byte][0] = kWeightOfNibble[byte & 15];
      of[byte][1] = kWeightOfNibble[byte >> 4];
    }
  }
};
constexpr WeightPairs kWeightPairs;

SHIFTADD_INLINE void expand_group(const uint8_t* nibbles, int64_t stride, int64_t rows,
                                  uint8_t* out) {
  for (int64_t i = 0; i < kDotPanel; ++i)
    for (int64_t j = 0; j < kDotGroup; j += 2) {
      const uint8_t* pair = kWeightPairs.of[i < rows ? nibbles[i * stride + j / 2] : 0];
      __builtin_memcpy(out + j / 4 * 64 + i * 4 + j % 4, pair, 2);
    }
}

#endif

// Rows are padded to 64 bytes of zeros, so that a group's 32 bytes are always there.
inline void expand_nibbles_kernel(const ExpandNibblesArgs& args) {
  const int64_t groups = dot_groups(args.inputs), stride = nibble_stride(args.inputs);
  parallel_chunks(dot_panels(args.outputs), 2, [&](int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; ++panel)
      for (int64_t g = 0; g < groups; ++g) {
        const int64_t first = panel * kDotPanel;
        expand_group(args.nibbles + first * stride + g * (kDotGroup / 2), stride,
                     args.outputs - first,
                     args.panels + (panel * groups + g) * kDotPanel * kDotGroup);
      }
  });
}

}  // namespace
}  // namespace shiftadd
