// MatAdd: sums of numbers with the signs that packed bits tell, by tables or by int8 dot products
// of a Unit (int8_gemm.h).
//
// A table holds the sums of four rows with all 16 combinations of signs, so that one addition adds
// four rows. Of the keys' product a table serves all channels, of the queries' all tokens.
#pragma once

#include "core/cpu/simd/dot_attention.h"
#include "tools/bench/kernels/kernels.h"

namespace shiftadd::tools {
namespace {

constexpr int kTableRows = 4, kTableSize = 1 << kTableRows;
constexpr int kTableBits = 64 / kTableRows;  // tables that 64 bits look up

/// 2 kWidth lanes of 16 bits; + and - work as operators.
using Words = int16_t __attribute__((vector_size(4 * kWidth)));
constexpr int kWordLanes = 2 * kWidth;
constexpr int kTableColumns = 32;  // of one table; a multiple of every kWordLanes

SHIFTADD_INLINE Words load_words16(const int8_t* p) {
  int8_t __attribute__((vector_size(kWordLanes))) bytes;
  __builtin_memcpy(&bytes, p, sizeof bytes);
  return __builtin_convertvector(bytes, Words);
}

// The 16 sums of +-x0 +-x1 +-x2 +-x3; bit i of the index is set where x_i is subtracted.
template <class Number, class Store>
SHIFTADD_INLINE void store_sums(Number x0, Number x1, Number x2, Number x3, Store store_one) {
  const Number low[4] = {x0 + x1, x1 - x0, x0 - x1, -x0 - x1};
  const Number high[4] = {x2 + x3, x3 - x2, x2 - x3, -x2 - x3};
#pragma GCC unroll 16
  for (int i = 0; i < kTableSize; ++i) store_one(i, low[i & 3] + high[i >> 2]);
}

// Byte `at` of each of up to 64 rows of `step` bytes, side by side; 0 beyond the rows.
SHIFTADD_INLINE void take_bytes(const uint8_t* rows, int count, int64_t step, int64_t at,
                                uint8_t* out) {
#if defined(__AVX512F__)
  if (count == 64 && step == 2) {
    const auto half = [&](int i) __attribute__((always_inline)) {
      const __m512i words = _mm512_loadu_si512(rows + 64 * i);
      return _mm512_cvtepi16_epi8(at ? _mm512_srli_epi16(words, 8) : words);
    };
    return _mm512_store_si512(out, _mm512_inserti64x4(_mm512_castsi256_si512(half(0)), half(1), 1));
  }
  if (count == 64 && step == 8) {
    const __m128i shift = _mm_cvtsi64_si128(8 * at);
    __m128i sixteen[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const auto eight = [&](int j) __attribute__((always_inline)) {
        return _mm512_cvtepi64_epi8(_mm512_srl_epi64(_mm512_loadu_si512(rows + 64 * j), shift));
      };
      sixteen[i] = _mm_unpacklo_epi64(eight(2 * i), eight(2 * i + 1));
    }
    __m512i all = _mm512_castsi128_si512(sixteen[0]);
    all = _mm512_inserti32x4(all, sixteen[1], 1);
    all = _mm512_inserti32x4(all, sixteen[2], 2);
    _mm512_store_si512(out, _mm512_inserti32x4(all, sixteen[3], 3));
    return;
  }
#endif
  for (int i = 0; i < count; ++i) out[i] = rows[i * step + at];
  for (int i = count; i < 64; ++i) out[i] = 0;
}

// Of up to 64 rows of signs: bit t of words[c] is that of row t and channel c, 0 beyond the rows.
// words: up to a multiple of 8 channels.
SHIFTADD_INLINE void turn_signs(const uint8_t* rows, int count, int64_t channels, uint64_t* words) {
  const int64_t bytes = sign_bytes(channels);
  alignas(64) uint8_t column[64];
  for (int64_t b = 0; b < bytes; ++b) {
    take_bytes(rows, count, bytes, b, column);
#if defined(__AVX512F__)
    const __m512i all = _mm512_load_si512(column);
#pragma GCC unroll 8
    for (int bit = 0; bit < 8; ++bit)
      words[8 * b + bit] =
          _mm512_test_epi8_mask(all, _mm512_set1_epi8(static_cast<char>(1 << bit)));
#elif defined(__AVX2__)
    for (int bit = 0; bit < 8; ++bit) {
      uint64_t word = 0;
      for (int half = 0; half < 2; ++half) {
        const __m256i part = _mm256_load_si256(reinterpret_cast<const __m256i*>(column) + half);
        const __m256i top = _mm256_sll_epi16(part, _mm_cvtsi32_si128(7 - bit));
        word |= static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_epi8(top)))
                << (32 * half);
      }
      words[8 * b + bit] = word;
    }
#else
    for (int bit = 0; bit < 8; ++bit) {
      uint64_t word = 0;
      for (int i = 0; i < 64; i += 8) {
        uint64_t eight;
        __builtin_memcpy(&eight, column + i, sizeof eight);
        // The product carries the lowest bit of each byte to one bit of the top byte.
        eight = (eight >> bit & 0x0101010101010101) * 0x0102040810204080;
        word |= eight >> 56 << i;
      }
      words[8 * b + bit] = word;
    }
#endif
  }
}

// Up to 64 rows of v, one product's: as they are, or copied where rows or columns (up to `wide`)
// are missing, which are 0.
struct ValueBlock {
  ValueBlock(const MatAddKeysArgs& args, const int8_t* v, int count, int64_t wide, int8_t* room)
      : rows(v), line(args.columns) {
    if (count == 64 && line == wide) return;
    __builtin_memset(room, 0, static_cast<size_t>(64 * wide));
    for (int i = 0; i < count; ++i)
      __builtin_memcpy(room + i * wide, v + i * line, static_cast<size_t>(line));
    rows = room;
    line = wide;
  }
  const int8_t* rows;
  int64_t line;
};

// sums (channels, wide) += of 64 tokens, by tables.
SHIFTADD_INLINE void add_by_tables(const ValueBlock& v, const uint64_t* words, int64_t channels,
                                   int64_t wide, int16_t* tables, int32_t* sums) {
  for (int64_t j = 0; j < wide; j += kTableColumns) {
    for (int g = 0; g < kTableBits; ++g) {
      const int8_t* rows = v.rows + kTableRows * g * v.line + j;
#pragma GCC unroll 4
      for (int lane = 0; lane < kTableColumns; lane += kWordLanes) {
        int16_t* table = tables + g * kTableSize * kTableColumns + lane;
        store_sums(
            load_words16(rows + lane), load_words16(rows + v.line + lane),
            load_words16(rows + 2 * v.line + lane), load_words16(rows + 3 * v.line + lane),
            [&](int i, Words sum) __attribute__((always_inline)) {
              __builtin_memcpy(table + i * kTableColumns, &sum, sizeof sum);
            });
      }
    }
    for (int64_t c = 0; c < channels; ++c) {
      // 16 sums of at most 4 * 128 fit.
      Words total[kTableColumns / kWordLanes] = {};
      uint64_t bits = words[c];
#pragma GCC unroll 16
      for (int g = 0; g < kTableBits; ++g, bits >>= kTableRows) {
        const int16_t* sum =
            tables + g * kTableSize * kTableColumns + (bits & (kTableSize - 1)) * kTableColumns;
#pragma GCC unroll 2
        for (int w = 0; w < kTableColumns / kWordLanes; ++w) {
          Words each;
          __builtin_memcpy(&each, sum + w * kWordLanes, sizeof each);
          total[w] = total[w] + each;
        }
      }
      alignas(64) int16_t lanes[kTableColumns];
      __builtin_memcpy(lanes, total, sizeof lanes);
      int32_t* to = sums + c * wide + j;
#pragma GCC unroll 4
      for (int lane = 0; lane < kTableColumns; lane += kWidth) {
        int16_t __attribute__((vector_size(2 * kWidth))) part;
        __builtin_memcpy(&part, lanes + lane, sizeof part);
        store(to + lane, load_ints(to + lane) + __builtin_convertvector(part, Ints));
      }
    }
  }
}

// 32 columns of four rows of v as four inputs of two panels of 16 outputs.
SHIFTADD_INLINE void interleave_rows(const int8_t* rows, int64_t line, uint8_t* left,
                                     uint8_t* right) {
#if defined(__AVX512F__)
  // Lane i of four holds columns of row i; then columns 4 i .. of all rows; then each column's.
  const __m512i lanes = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m512i columns =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  const __m512i offset = _mm512_set1_epi8(static_cast<char>(kDotOffset));
  const auto panel = [&](const int8_t* x, uint8_t* out) __attribute__((always_inline)) {
    const auto row = [&](int i) __attribute__((always_inline)) {
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + i * line));
    };
    __m512i all = _mm512_castsi128_si512(row(0));
    all = _mm512_inserti32x4(all, row(1), 1);
    all = _mm512_inserti32x4(all, row(2), 2);
    all = _mm512_inserti32x4(all, row(3), 3);
    all = _mm512_shuffle_epi8(_mm512_permutexvar_epi32(lanes, all), columns);
    _mm512_store_si512(out, _mm512_xor_si512(all, offset));
  };
  panel(rows, left);
  panel(rows + kDotPanel, right);
#else
  for (int c = 0; c < kDotPanel; ++c)
    for (int row = 0; row < 4; ++row) {
      left[4 * c + row] = static_cast<uint8_t>(rows[row * line + c] + kDotOffset);
      right[4 * c + row] = static_cast<uint8_t>(rows[row * line + kDotPanel + c] + kDotOffset);
    }
#endif
}

// Tokens of a task, at least: several products where they are short, for tiles take their time to
// be set up.
constexpr int64_t kKeyTokens = 1024;

constexpr int kDotChunk = 8;  // groups of 64 tokens that one product of the dot form takes

// Operands of the dot form for one chunk of tokens.
struct DotScratch {
  DotScratch(int64_t channels, int64_t wide)
      : tall(round_up(channels, kDotBlock)),
        line((kDotChunk + 1) * kDotGroup),
        signs(tall * line),
        panels(wide * kDotChunk * kDotGroup) {}
  int64_t total() const { return signs + panels; }
  int64_t tall, line, signs, panels;
};

// sums (channels, wide) += one product; offsets: room for what 128 more in each number adds.
template <class Unit>
void add_keys_by_dots(const MatAddKeysArgs& args, const uint8_t* signs, const int8_t* v,
                      int64_t wide, uint64_t* words, int8_t* block, int32_t* offsets, int32_t* sums,
                      int8_t* room) {
  const DotScratch at(args.channels, wide);
  const int64_t row_bytes = sign_bytes(args.channels);
  uint8_t* panels = reinterpret_cast<uint8_t*>(room + at.signs);
  alignas(64) int32_t sum[kDotBlock * kDotBlock];
  for (int64_t first = 0; first < args.tokens; first += kDotChunk * kDotGroup) {
    const int64_t left = lesser(args.tokens - first, kDotChunk * kDotGroup);
    const int64_t groups = dot_groups(left);
    __builtin_memset(offsets, 0, static_cast<size_t>(at.tall * 4));
    for (int64_t g = 0; g < groups; ++g) {
      // The last tokens are taken with those before them, whose signs are then 0.
      const int64_t begin = first + g * kDotGroup, end = lesser(begin + kDotGroup, args.tokens);
      const int64_t t = end < kDotGroup ? 0 : end - kDotGroup;
      const int count = static_cast<int>(end - t);
      const uint64_t within = first_bits(count) & ~first_bits(begin - t);
      turn_signs(signs + t * row_bytes, count, args.channels, words);
      for (int64_t c = 0; c < args.channels; ++c) {
        if (Unit::kOffset)
          offsets[c] += kDotOffset * (static_cast<int32_t>(end - begin) -
                                      2 * __builtin_popcountll(words[c] & within));
        store_signs(words[c], within, room + c * at.line + g * kDotGroup);
      }
      const ValueBlock rows(args, v + t * args.columns, count, wide, block);
      for (int64_t q = 0; q < kDotGroup / 4; ++q)
        for (int64_t j = 0; j < wide; j += kDotBlock) {
          uint8_t* to = panels + (j * groups + g * kDotPanel) * kDotGroup + q * 4 * kDotPanel;
          interleave_rows(rows.rows + 4 * q * rows.line + j, rows.line, to,
                          to + groups * kDotPanel * kDotGroup);
        }
    }
    for (int64_t j = 0; j < wide; j += kDotBlock)
      for (int64_t c = 0; c < args.channels; c += kDotBlock) {
        const int rows = static_cast<int>(lesser(args.channels - c, kDotBlock));
        Unit::multiply(groups, rows, {room + c * at.line, at.line}, panels + j * groups * kDotGroup,
                       sum);
        for (int r = 0; r < rows; ++r)
          for (int lane = 0; lane < kDotBlock; lane += kWidth) {
            int32_t* to = sums + (c + r) * wide + j + lane;
            store(to, load_ints(to) + load_ints(sum + r * kDotBlock + lane) - offsets[c + r]);
          }
      }
  }
}

template <class Unit>
void mat_add_keys_kernel(const MatAddKeysArgs& args) {
  const int64_t wide = round_up(args.columns, kTableColumns);
  const int64_t tall = round_up(args.channels, kDotBlock), row_bytes = sign_bytes(args.channels);
  const bool dots =
      args.form == MatAddForm::kDot || (args.form == MatAddForm::kFastest && Unit::kAddsByDots);
  const int64_t operands = dots ? DotScratch(args.channels, wide).total()
                                : int64_t{kTableBits} * kTableSize * kTableColumns * 2;
  const auto one = [&](int64_t p) {
    float* room =
        scratch(Scratch::kAttention, (tall * wide + tall) + 2 * tall + (64 * wide + operands) / 4);
    // Sums go where they belong, if whole vectors of them fit.
    int32_t* const out = args.out + p * args.channels * args.columns;
    int32_t* const sums = wide == args.columns ? out : reinterpret_cast<int32_t*>(room) + tall;
    int32_t* const offsets = reinterpret_cast<int32_t*>(room);
    uint64_t* words = reinterpret_cast<uint64_t*>(offsets + tall + tall * wide);
    int8_t* block = reinterpret_cast<int8_t*>(words + tall);
    int8_t* rest = block + 64 * wide;
    __builtin_memset(sums, 0, static_cast<size_t>(args.channels * wide * 4));
    const uint8_t* signs = args.signs + p * args.tokens * row_bytes;
    const int8_t* v = args.v + p * args.tokens * args.columns;
    if (dots) {
      add_keys_by_dots<Unit>(args, signs, v, wide, words, block, offsets, sums, rest);
    } else {
      for (int64_t t = 0; t < args.tokens; t += 64) {
        const int count = static_cast<int>(lesser(args.tokens - t, 64));
        turn_signs(signs + t * row_bytes, count, args.channels, words);
        const ValueBlock rows(args, v + t * args.columns, count, wide, block);
        add_by_tables(rows, words, args.channels, wide, reinterpret_cast<int16_t*>(rest), sums);
      }
    }
    for (int64_t c = 0; sums != out && c < args.channels; ++c)
      __builtin_memcpy(out + c * args.columns, sums + c * wide,
                       static_cast<size_t>(args.columns * 4));
  };
  const int64_t grain = args.tokens < kKeyTokens ? kKeyTokens / (args.tokens + 1) + 1 : 1;
  parallel_chunks(args.products, grain, [&](int64_t begin, int64_t end) {
    [[maybe_unused]] const Unit unit;
    for (int64_t p = begin; p < end; ++p) one(p);
  });
}

// Tokens of a task: enough to pay for its tables.
constexpr int64_t kQueryTokens = 512;

// Tables of m's rows, four at a time, and of kTableColumns columns; rows and columns that do not
// exist are 0.
SHIFTADD_INLINE void store_tables(const MatAddQueriesArgs& args, const int32_t* m, int64_t first,
                                  int64_t groups, int32_t* tables) {
  for (int64_t g = 0; g < groups; ++g)
    for (int lane = 0; lane < kTableColumns; lane += kWidth) {
      Ints x[kTableRows];
      const int64_t left = lesser(args.columns - first - lane, kWidth);
#pragma GCC unroll 4
      for (int i = 0; i < kTableRows; ++i) {
        const int64_t c = kTableRows * g + i;
        const int32_t* row = m + c * args.columns + first + lane;
        if (c >= args.channels || left <= 0) {
          x[i] = set1i(0);
        } else if (left == kWidth) {
          x[i] = load_ints(row);
        } else {
          int32_t lanes[kWidth] = {};
          __builtin_memcpy(lanes, row, static_cast<size_t>(4 * left));
          x[i] = load_ints(lanes);
        }
      }
      int32_t* table = tables + g * kTableSize * kTableColumns + lane;
      store_sums(
          x[0], x[1], x[2], x[3], [&](int i, Ints sum) __attribute__((always_inline)) {
            store(table + i * kTableColumns, sum);
          });
    }
}

// Sums of one token: the tables' rows that its signs name. row: sign_bytes.
struct TokenSums {
  SHIFTADD_INLINE TokenSums(const uint8_t* row, int64_t bytes, int64_t groups,
                            const int32_t* tables) {
    for (; groups >= kTableBits; groups -= kTableBits, row += 8, bytes -= 8) {
      uint64_t bits;
      __builtin_memcpy(&bits, row, sizeof bits);
#pragma GCC unroll 16
      for (int g = 0; g < kTableBits; ++g, bits >>= kTableRows) add(tables, bits);
    }
    uint64_t bits = 0;
    for (int64_t i = 0; i < bytes; ++i) bits |= static_cast<uint64_t>(row[i]) << (8 * i);
    for (; groups > 0; --groups, bits >>= kTableRows) add(tables, bits);
  }
  SHIFTADD_INLINE void add(const int32_t*& table, uint64_t bits) {
    const int32_t* sums = table + (bits & (kTableSize - 1)) * kTableColumns;
#pragma GCC unroll 8
    for (int w = 0; w < kVectors; ++w) total[w] = total[w] + load_ints(sums + w * kWidth);
    table += kTableSize * kTableColumns;
  }
  SHIFTADD_INLINE void store_all(int32_t* out) const {
#pragma GCC unroll 4
    for (int w = 0; w < kVectors; ++w) store(out + w * kWidth, total[w]);
  }
  static constexpr int kVectors = kTableColumns / kWidth;
  Ints total[kVectors] = {};
};

inline void mat_add_queries_kernel(const MatAddQueriesArgs& args) {
  const int64_t groups = (args.channels + kTableRows - 1) / kTableRows;
  const int64_t chunks = (args.tokens + kQueryTokens - 1) / kQueryTokens;
  const int64_t row_bytes = sign_bytes(args.channels);
  parallel_for(args.products * chunks, [&](int64_t task) {
    const int64_t p = task / chunks, begin = task % chunks * kQueryTokens;
    const int64_t end = lesser(begin + kQueryTokens, args.tokens);
    const int32_t* m = args.m + p * args.channels * args.columns;
    int32_t* tables = reinterpret_cast<int32_t*>(
        scratch(Scratch::kAttention, groups * kTableSize * kTableColumns));
    for (int64_t j = 0; j < args.columns; j += kTableColumns) {
      store_tables(args, m, j, groups, tables);
      const int64_t columns = lesser(args.columns - j, kTableColumns);
      for (int64_t t = begin; t < end; ++t) {
        const TokenSums sums(args.signs + (p * args.tokens + t) * row_bytes, row_bytes, groups,
                             tables);
        int32_t* out = args.out + (p * args.tokens + t) * args.columns + j;
        if (columns == kTableColumns) {
          sums.store_all(out);
        } else {
          int32_t lanes[kTableColumns];
          sums.store_all(lanes);
          __builtin_memcpy(out, lanes, static_cast<size_t>(4 * columns));
        }
      }
    }
  });
}

}  // namespace
}  // namespace shiftadd::tools
