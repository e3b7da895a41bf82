// The inner loops of resize in AVX2. A 24-bit weight is split as high * 2^11 + low so that both
// halves fit the 16-bit multiply-add; the two sums are joined modulo 2^32, which gives the plain
// loop's bits.
#if defined(__AVX2__)
#include <immintrin.h>

#include <cstring>

#include "data/resize_kernels.h"

namespace shiftadd::data {

namespace {

constexpr int kLowBits = 11;
constexpr int32_t kLowMask = (1 << kLowBits) - 1;

// Weights of two neighbouring taps as the 16-bit pair that madd expects.
inline int32_t pair_of(int32_t a, int32_t b) {
  return static_cast<int32_t>((static_cast<uint32_t>(b) << 16) |
                              (static_cast<uint32_t>(a) & 0xFFFF));
}
inline __m256i low_pair(int32_t a, int32_t b) {
  return _mm256_set1_epi32(pair_of(a & kLowMask, b & kLowMask));
}
inline __m256i high_pair(int32_t a, int32_t b) {
  return _mm256_set1_epi32(pair_of(a >> kLowBits, b >> kLowBits));
}

inline __m256i join(__m256i low, __m256i high) {
  const __m256i sum = _mm256_add_epi32(_mm256_add_epi32(low, _mm256_slli_epi32(high, kLowBits)),
                                       _mm256_set1_epi32(kWeightHalf));
  return _mm256_srai_epi32(sum, kWeightBits);
}

// 16 output bytes of the vertical pass; load(k) gives 16 bytes of row k.
template <class Load>
inline __m128i column16(Load load, const int32_t* weights, int64_t count) {
  __m256i low0 = _mm256_setzero_si256(), low1 = low0, high0 = low0, high1 = low0;
  for (int64_t k = 0; k < count; k += 2) {
    const bool two = k + 1 < count;
    const __m128i a = load(k), b = two ? load(k + 1) : _mm_setzero_si128();
    const int32_t weight = two ? weights[k + 1] : 0;
    const __m256i low = low_pair(weights[k], weight), high = high_pair(weights[k], weight);
    const __m256i first = _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b));
    const __m256i second = _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b));
    low0 = _mm256_add_epi32(low0, _mm256_madd_epi16(first, low));
    high0 = _mm256_add_epi32(high0, _mm256_madd_epi16(first, high));
    low1 = _mm256_add_epi32(low1, _mm256_madd_epi16(second, low));
    high1 = _mm256_add_epi32(high1, _mm256_madd_epi16(second, high));
  }
  // Packing works within 128-bit lanes: put the quarters back in order before narrowing to bytes.
  const __m256i words =
      _mm256_permute4x64_epi64(_mm256_packs_epi32(join(low0, high0), join(low1, high1)), 0xD8);
  return _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
}

inline __m128i load16(const uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}

}  // namespace

void resize_column_avx2(const uint8_t* in, int64_t stride, const int32_t* weights, int64_t count,
                        uint8_t* out, int64_t bytes) {
  int64_t i = 0;
  for (; i + 16 <= bytes; i += 16) {
    const __m128i result =
        column16([&](int64_t k) { return load16(in + k * stride + i); }, weights, count);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), result);
  }
  if (i == bytes) return;
  const __m128i result = column16(
      [&](int64_t k) {
        uint8_t tail[16] = {};
        std::memcpy(tail, in + k * stride + i, bytes - i);
        return load16(tail);
      },
      weights, count);
  uint8_t tail[16];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(tail), result);
  std::memcpy(out + i, tail, bytes - i);
}

void resize_row_avx2(const uint8_t* in, const ResizeTaps& taps, uint8_t* out, int64_t width) {
  // Four RGB pixels lie in 12 of 16 bytes. Lane 0 pairs taps 0 and 1 per colour, lane 1 taps 2 and
  // 3, as 16-bit words.
  const __m256i pairs =
      _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1,  //
                       6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
  // Weights 0 1 in lane 0 and 2 3 in lane 1, repeated: 16-bit words 0 and 2 of each 32-bit weight
  // are the halves.
  const __m256i repeat = _mm256_setr_epi8(0, 1, 4, 5, 0, 1, 4, 5, 0, 1, 4, 5, 0, 1, 4, 5,  //
                                          8, 9, 12, 13, 8, 9, 12, 13, 8, 9, 12, 13, 8, 9, 12, 13);
  const __m128i low_mask = _mm_set1_epi32(kLowMask);
  for (int64_t x = 0; x < width; ++x) {
    const uint8_t* pixel = in + int64_t{3} * taps.first[x];
    const int32_t* weights = &taps.weights[x * taps.stride];
    __m256i low = _mm256_setzero_si256(), high = low;
    for (int64_t k = 0; k < taps.count[x]; k += 4, pixel += 12) {
      const __m256i words = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(load16(pixel)), pairs);
      const __m128i four = _mm_loadu_si128(reinterpret_cast<const __m128i*>(weights + k));
      const __m128i four_low = _mm_and_si128(four, low_mask),
                    four_high = _mm_srai_epi32(four, kLowBits);
      low = _mm256_add_epi32(
          low, _mm256_madd_epi16(
                   words, _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(four_low), repeat)));
      high = _mm256_add_epi32(
          high, _mm256_madd_epi16(
                    words, _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(four_high), repeat)));
    }
    const __m128i low4 =
        _mm_add_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
    const __m128i high4 =
        _mm_add_epi32(_mm256_castsi256_si128(high), _mm256_extracti128_si256(high, 1));
    const __m128i sum = _mm_add_epi32(_mm_add_epi32(low4, _mm_slli_epi32(high4, kLowBits)),
                                      _mm_set1_epi32(kWeightHalf));
    const __m128i words = _mm_packs_epi32(_mm_srai_epi32(sum, kWeightBits), _mm_setzero_si128());
    const int32_t rgb = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
    if (x + 1 < width) {
      std::memcpy(out + 3 * x, &rgb, 4);  // the fourth byte is overwritten by the next pixel
    } else {
      std::memcpy(out + 3 * x, &rgb, 3);
    }
  }
}

}  // namespace shiftadd::data
#endif
