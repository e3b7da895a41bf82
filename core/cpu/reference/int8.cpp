// int8 panels and their product, by definition.
#include <cmath>

#include "core/cpu/reference/reference.h"

namespace shiftadd::reference {
namespace {

// Of panels of `groups` groups: the byte of output r and input j.
int64_t dot_index(int64_t groups, int64_t r, int64_t j) {
  const int64_t group = r / kDotPanel * groups + j / kDotGroup;
  return (group * (kDotGroup / 4) + j % kDotGroup / 4) * 4 * kDotPanel + r % kDotPanel * 4 + j % 4;
}

}  // namespace

void expand_nibbles(const ExpandNibblesArgs& args) {
  const int64_t groups = dot_groups(args.inputs), stride = nibble_stride(args.inputs);
  for (int64_t r = 0; r < dot_panels(args.outputs) * kDotPanel; ++r)
    for (int64_t j = 0; j < groups * kDotGroup; ++j) {
      int weight = 0;
      if (r < args.outputs && j < args.inputs) {
        const int nibble = args.nibbles[r * stride + j / 2] >> (j % 2 ? 4 : 0) & 15;
        const int magnitude = nibble & 7 ? 1 << ((nibble & 7) - 1) : 0;
        weight = nibble & 8 ? -magnitude : magnitude;
      }
      args.panels[dot_index(groups, r, j)] = static_cast<uint8_t>(weight + kDotOffset);
    }
}

template <class T>
void int8_gemm(const Int8GemmArgs<T>& args) {
  const int64_t groups = dot_groups(args.inputs);
  for (int64_t i = 0; i < args.tokens; ++i)
    for (int64_t r = 0; r < args.outputs; ++r) {
      const int64_t row = args.rows ? args.rows[i] : i;
      int32_t sum = 0;
      for (int64_t j = 0; j < args.inputs; ++j)
        sum += args.x[row * args.inputs + j] * (args.panels[dot_index(groups, r, j)] - kDotOffset);
      // The order of gemm's epilogue: scale and bias in one rounding, then the rest.
      const T x = static_cast<T>(sum) * args.row_scales[r];
      T y = std::fma(x, args.scales[row], args.bias ? args.bias[r] : T{0});
      if (args.activation == Activation::kGelu) gelu<T>({1, &y, &y});
      const int64_t at = i * args.outputs + r;
      args.y[at] = args.residual ? y + args.residual[at] : y;
    }
}

template void int8_gemm(const Int8GemmArgs<float>&);
template void int8_gemm(const Int8GemmArgs<double>&);

}  // namespace shiftadd::reference
