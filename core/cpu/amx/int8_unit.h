// int8 products by AMX: tiles of 16 rows of 64 bytes.
#pragma once

#include "core/cpu/simd/amx_tiles.h"
#include "core/cpu/simd/int8_gemm.h"

namespace shiftadd {
namespace {

struct Int8Dots : AmxTiles {
  static constexpr bool kOffset = true;
  static constexpr bool kAddsByDots = true;  // 1.2 to 1.7 times as fast as tables
  static void multiply(int64_t groups, int rows, DotRows a, const uint8_t* b, int32_t* sum) {
    asm volatile("" ::: "memory");  // g++'s tile loads do not say that they read memory
    if (rows > 16)
      multiply_two(groups, a, b, sum);
    else
      multiply_one(groups, a, b, sum);
    asm volatile("" ::: "memory");
  }

 private:
  static constexpr int64_t kBlock = kDotPanel * kDotGroup;
  static constexpr int kRow = kDotBlock * sizeof(int32_t);

  // Tiles 0 .. 3: the sums of 2 x 2 blocks; 4, 5: tokens; 6, 7: weights.
  static void multiply_two(int64_t groups, DotRows a, const uint8_t* b, int32_t* sum) {
    const uint8_t* right = b + groups * kBlock;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t g = 0; g < groups; ++g, a.at += a.group, b += kBlock, right += kBlock) {
      _tile_loadd(4, a.at, a.row);
      _tile_loadd(6, b, 64);
      _tile_loadd(7, right, 64);
      _tile_dpbsud(0, 4, 6);
      _tile_dpbsud(1, 4, 7);
      _tile_loadd(5, a.at + 16 * a.row, a.row);
      _tile_dpbsud(2, 5, 6);
      _tile_dpbsud(3, 5, 7);
    }
    _tile_stored(0, sum, kRow);
    _tile_stored(1, sum + 16, kRow);
    _tile_stored(2, sum + 16 * kDotBlock, kRow);
    _tile_stored(3, sum + 16 * kDotBlock + 16, kRow);
  }

  // The same of 16 rows: tiles 2 and 3 sum every second group, since a tile waits three times as
  // long for its last product as one takes.
  static void multiply_one(int64_t groups, DotRows a, const uint8_t* b, int32_t* sum) {
    const uint8_t* right = b + groups * kBlock;
    const auto next = [&] { a.at += a.group, b += kBlock, right += kBlock; };
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t g = 0; g + 2 <= groups; g += 2) {
      _tile_loadd(4, a.at, a.row);
      _tile_loadd(6, b, 64);
      _tile_loadd(7, right, 64);
      _tile_dpbsud(0, 4, 6);
      _tile_dpbsud(1, 4, 7);
      next();
      _tile_loadd(5, a.at, a.row);
      _tile_loadd(6, b, 64);
      _tile_loadd(7, right, 64);
      _tile_dpbsud(2, 5, 6);
      _tile_dpbsud(3, 5, 7);
      next();
    }
    if (groups % 2) {
      _tile_loadd(4, a.at, a.row);
      _tile_loadd(6, b, 64);
      _tile_loadd(7, right, 64);
      _tile_dpbsud(0, 4, 6);
      _tile_dpbsud(1, 4, 7);
    }
    _tile_stored(0, sum, kRow);
    _tile_stored(1, sum + 16, kRow);
    if (groups == 1) return;
    alignas(64) int32_t more[16 * kDotBlock];
    _tile_stored(2, more, kRow);
    _tile_stored(3, more + 16, kRow);
    asm volatile("" ::: "memory");
    for (int i = 0; i < 16 * kDotBlock; i += kWidth)
      store(sum + i, load_ints(sum + i) + load_ints(more + i));
  }
};

}  // namespace
}  // namespace shiftadd
