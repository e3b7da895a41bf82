// Buffers of the kernels, one set per thread.
#pragma once

#include <cstdint>

namespace shiftadd {

/// Scratch of at least `floats` floats, 64-byte aligned, owned by the calling thread and kept for
/// its next call with the same slot: kernels allocate nothing once warm. Contents are undefined.
enum class Scratch { kPackA, kPackB, kTile, kAttention, kRows, kColumns, kRoundA, kRoundB, kCount };
float* scratch(Scratch slot, int64_t floats);

}  // namespace shiftadd
