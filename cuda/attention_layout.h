// Where the kernels of attention keep what in a block's shared memory: the same arithmetic for the
// kernels, which place it, and the host, which asks for as many bytes.
#pragma once

#include <cstdint>

namespace shiftadd::cuda {

inline constexpr int kAttentionThreads = 256, kAttentionWarps = kAttentionThreads / 32;
/// Keys and channels that one matrix instruction takes, outputs of two of them side by side.
inline constexpr int kKeyStep = 32, kTileSide = 16;
/// Rows of int8 numbers are this many bytes longer than their numbers, an odd multiple of 16, so
/// that the eight rows which a matrix instruction's load reads at once lie in different banks.
inline constexpr int kLinePadding = 16;

/// Blocks that registers leave room for on a multiprocessor: as many as nothing spills with. In
/// int8_attention, in what holds k^T v, in bf16_attention, and in attention in floats.
constexpr int int8_blocks(int width) { return width > 64 ? 2 : 3; }
constexpr int linear_blocks(int width) { return width > 64 ? 1 : 3; }
constexpr int bf16_blocks(int width) { return width > 64 ? 1 : 2; }
inline constexpr int kFloatBlocks = 2;

/// Queries at once, for rows of up to `width` numbers: each warp then makes one 16 x 16 tile of the
/// output.
constexpr int whole_tile(int width) { return kAttentionWarps * kTileSide * kTileSide / width; }
constexpr int padded_to(int n, int step) { return (n + step - 1) / step * step; }
constexpr int larger(int a, int b) { return a > b ? a : b; }

/// Takes pieces one after the other, each at a multiple of 16 bytes.
struct SharedPieces {
  int bytes = 0;
  constexpr int take(int size) {
    const int at = bytes;
    bytes += padded_to(size, 16);
    return at;
  }
};

/// Of int8_attention. Offsets in bytes.
struct Int8Layout {
  int line, columns_line, score_line;  // bytes of a row of q and k, of a column of v, of scores
  int queries, query_scales, key_scales, row_factors, tops, scores, keys, values, bytes;

  /// keys: of the head; chunk: of them at once, all where `resident`.
  constexpr Int8Layout(int width, int tile, int all_keys, int chunk, bool resident)
      : line(width + kLinePadding),
        columns_line(chunk + kLinePadding),
        score_line(4 * padded_to(all_keys, kKeyStep) + kLinePadding),
        queries(0),
        query_scales(0),
        key_scales(0),
        row_factors(0),
        tops(0),
        scores(0),
        keys(0),
        values(0),
        bytes(0) {
    SharedPieces pieces;
    queries = pieces.take(tile * line);
    query_scales = pieces.take(tile * 4);
    row_factors = pieces.take(tile * 4);
    key_scales = pieces.take(chunk * 4);
    tops = pieces.take(kAttentionWarps * 4);
    scores = pieces.take(tile * score_line);
    const int key_bytes = chunk * line, value_bytes = width * columns_line;
    keys = pieces.take(resident ? key_bytes : larger(key_bytes, value_bytes));
    values = resident ? pieces.take(value_bytes) : keys;
    bytes = pieces.bytes;
  }
};

/// k^T v has whole numbers of more than 8 bits: they are cut into so many digits -128 .. 127 of
/// base 256 at most.
inline constexpr int kMostDigits = 3;
constexpr int digits_for(int largest) { return largest + 128 < 1 << 15 ? 2 : kMostDigits; }

/// Of linear_attention and, with what a window takes, window_attention.
struct LinearLayout {
  int line, columns_line, digit_bytes, product_line;  // product_line: floats of a row of products
  int codes, values, digits, queries, products, tops;
  int near;                            // values as rows of bf16 numbers, width of them
  int sums, bits, query_bits, prefix;  // window_attention
  int bytes;

  /// rows: whether values stay as rows; window: prefix tokens or -1 where there is no window.
  constexpr LinearLayout(int width, int tile, int all_keys, int chunk, bool rows, bool window)
      : line(width + kLinePadding),
        columns_line(chunk + kLinePadding),
        digit_bytes(width * line),
        product_line(width + 8),
        codes(0),
        values(0),
        digits(0),
        queries(0),
        products(0),
        tops(0),
        near(0),
        sums(0),
        bits(0),
        prefix(0),
        bytes(0) {
    // Keys and values were summed before the first query is taken: both use the same bytes.
    SharedPieces summed;
    codes = summed.take(width * columns_line);
    values = summed.take(width * columns_line);
    SharedPieces pieces;
    digits = pieces.take(kMostDigits * digit_bytes);
    queries = pieces.take(tile * line);
    products = pieces.take(tile * product_line * 4);
    pieces.bytes = larger(pieces.bytes, summed.bytes);
    tops = pieces.take(kAttentionWarps * 4);
    near = pieces.take(rows ? all_keys * width * 2 : 0);
    if (window) {
      const int row_bits = width / 32 * 2 * 4;  // two planes
      sums = pieces.take(2 * width * 4);
      bits = pieces.take(all_keys * row_bits);
      prefix = pieces.take((all_keys + 1) * 4);
    }
    bytes = pieces.bytes;
  }
};

/// Of bf16_attention: queries of a block, 16 of a warp, and keys that they meet at once.
inline constexpr int kBf16Queries = kAttentionWarps * kTileSide, kBf16Keys = 64;
struct Bf16Layout {
  int line;  // bytes of a row of keys and values
  int values, bytes;

  constexpr explicit Bf16Layout(int width)
      : line(2 * width + kLinePadding), values(kBf16Keys * line), bytes(2 * values) {}
};

/// Of softmax_attention and angular_attention: keys that meet a tile of kScoreRows queries at once.
inline constexpr int kScoreRows = 32, kScoreKeys = 64;
struct FloatLayout {
  int line;  // floats of a row of numbers, and of one of weights
  int weight_line;
  int queries, keys, values, weights, tops, bytes;

  constexpr explicit FloatLayout(int width)
      : line(width + 4),
        weight_line(kScoreKeys + 4),
        queries(0),
        keys(0),
        values(0),
        weights(0),
        tops(0),
        bytes(0) {
    SharedPieces pieces;
    queries = pieces.take(kScoreRows * line * 4);
    keys = pieces.take(kScoreKeys * line * 4);
    values = pieces.take(kScoreKeys * line * 4);
    weights = pieces.take(kScoreRows * weight_line * 4);
    tops = pieces.take(kAttentionWarps * 4);
    bytes = pieces.bytes;
  }
};

}  // namespace shiftadd::cuda
