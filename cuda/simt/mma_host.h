// The matrix products of a warp on the host: what the lanes hold is gathered into plain matrices.
#pragma once

#include <cstdint>

namespace shiftadd::simt {

/// What one lane brings: int32_t or float d[4], uint32_t a[4], b[2].
struct MmaOperand {
  void* d;
  const uint32_t* a;
  const uint32_t* b;
};

/// Warp functions (running.h): d += a b for the operands of 32 lanes, exact and modulo 2^32.
void multiply_s8(void* const* operands, uint32_t mask);
/// The same of bf16 elements in float: products are added one by one from d on, or, if options()
/// say so, as tensor cores may add them: eight products and the sum so far are aligned to the
/// largest of them, cut off below, and added at once.
void multiply_bf16(void* const* operands, uint32_t mask);

}  // namespace shiftadd::simt
