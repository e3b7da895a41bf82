// The eight tile registers of AMX at their full size.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace shiftadd {
namespace {

// For the life of this object; the state is given back, so that a thread switch need not save 8
// KiB.
class AmxTiles {
 public:
  AmxTiles() {
    alignas(64) static constexpr struct {
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } kConfig;
    _tile_loadconfig(&kConfig);
  }
  ~AmxTiles() { _tile_release(); }
  AmxTiles(const AmxTiles&) = delete;
  AmxTiles& operator=(const AmxTiles&) = delete;
};

}  // namespace
}  // namespace shiftadd
