// The kernels of kernels.h by definition.
#include <algorithm>
#include <cmath>

#include "core/kernels/shift.h"
#include "tools/bench/kernels/kernels.h"

namespace shiftadd::tools {
namespace {

// add(p, t, c, negative) for each code of each token of each product.
template <class Args, class Add>
void for_codes(const Args& args, Add add) {
  for (int64_t p = 0; p < args.products; ++p)
    for (int64_t t = 0; t < args.tokens; ++t) {
      const uint8_t* row = args.signs + (p * args.tokens + t) * sign_bytes(args.channels);
      for (int64_t c = 0; c < args.channels; ++c) add(p, t, c, row[c / 8] >> c % 8 & 1);
    }
}

// out += x, or -= x: n numbers.
template <class X>
void add_row(int64_t n, const X* x, bool negative, int32_t* out) {
  for (int64_t j = 0; j < n; ++j) out[j] += negative ? -x[j] : x[j];
}

void shift_gemm(const ShiftGemmArgs& args) {
  const int64_t half = kShiftPanel / 2;
  for (int64_t i = 0; i < args.tokens; ++i)
    for (int64_t r = 0; r < args.outputs; ++r) {
      const int64_t lane = r % kShiftPanel;
      const uint8_t* codes = args.codes + r / kShiftPanel * args.inputs * half + lane % half;
      const int8_t* x = args.x + i * args.inputs;
      int32_t sum = 0;
      for (int64_t j = 0; j < args.inputs; ++j) {
        const int nibble = (codes[j * half] >> (lane < half ? 0 : 4)) & 15;
        if ((nibble & 7) == 0) continue;
        const int32_t term = static_cast<int32_t>(x[j]) << ((nibble & 7) - 1);
        sum = nibble & 8 ? sum - term : sum + term;
      }
      // The order of gemm's epilogue: scale and bias in one rounding, then the residual.
      const double unscaled = std::ldexp(static_cast<double>(sum), args.exponents[r] - kShiftRange);
      const float y =
          static_cast<float>(unscaled * args.scales[i] + (args.bias ? args.bias[r] : 0));
      const int64_t at = i * args.outputs + r;
      args.y[at] = args.residual ? y + args.residual[at] : y;
    }
}

void mat_add_keys(const MatAddKeysArgs& args) {
  std::fill_n(args.out, args.products * args.channels * args.columns, 0);
  for_codes(args, [&](int64_t p, int64_t t, int64_t c, bool negative) {
    add_row(args.columns, args.v + (p * args.tokens + t) * args.columns, negative,
            args.out + (p * args.channels + c) * args.columns);
  });
}

void mat_add_queries(const MatAddQueriesArgs& args) {
  std::fill_n(args.out, args.products * args.tokens * args.columns, 0);
  for_codes(args, [&](int64_t p, int64_t t, int64_t c, bool negative) {
    add_row(args.columns, args.m + (p * args.channels + c) * args.columns, negative,
            args.out + (p * args.tokens + t) * args.columns);
  });
}

}  // namespace

const BenchKernels& reference_bench_kernels() {
  static constexpr BenchKernels kernels = {
      .shift_gemm = shift_gemm, .mat_add_keys = mat_add_keys, .mat_add_queries = mat_add_queries};
  return kernels;
}

}  // namespace shiftadd::tools
