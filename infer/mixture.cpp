// Chooses each token's expert, gathers the tokens by expert, and puts the answers back in place.
#include "infer/mixture.h"

#include <algorithm>
#include <cmath>

#include "core/parallel.h"

namespace shiftadd::infer {
namespace {

int64_t grain(int64_t width) { return std::max<int64_t>(1, 16384 / width); }

}  // namespace

int64_t route(const Linear* router, const float* x, int64_t rows, GateKind gate, double shift_share,
              int32_t* order, float* gates, const ChoiceSink& sink) {
  const bool fixed = gate == GateKind::kFixedSplit;
  if (!fixed)
    gemm_packed(x, router->inputs(), rows, router->weight, gates, 2, router->bias.data<float>());
  int64_t first = 0, second = rows;
  for (int64_t row = 0; row < rows; ++row) {
    const auto before = [&](int64_t r) { return std::floor(static_cast<double>(r) * shift_share); };
    const bool shifted = shift_share >= 0 ? before(row + 1) > before(row)
                         : fixed          ? fixed_split_expert(row % sink.tokens) == kShiftExpert
                                          : gates[2 * row + 1] > gates[2 * row];
    const uint8_t choice = shifted ? kShiftExpert : kMultExpert;
    order[choice == kMultExpert ? first++ : --second] = static_cast<int32_t>(row);
    if (sink.to) sink.to[row / sink.tokens * sink.image_stride + row % sink.tokens] = choice;
  }
  std::reverse(order + first, order + rows);
  if (gate == GateKind::kProbability) kernels<float>().softmax({rows, 2, gates, gates});
  return first;
}

void gather(const Routed& routed, const float* x, int64_t width, float* gathered) {
  parallel_chunks(routed.rows, grain(width), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      std::copy_n(x + routed.order[i] * width, width, gathered + i * width);
  });
}

void scatter_rows(const Routed& routed, int64_t begin, int64_t end, int64_t width, GateKind gate,
                  float* outputs, const float* residual, float* y) {
  for (int64_t i = begin; i < end; ++i) {
    const int64_t row = routed.order[i];
    float *in = outputs + i * width, *out = y + row * width;
    if (gate == GateKind::kProbability) {  // rounded before the residual joins
      const float factor = routed.gates[2 * row + (i < routed.first ? kMultExpert : kShiftExpert)];
      for (int64_t j = 0; j < width; ++j) in[j] *= factor;
    }
    if (residual)
      for (int64_t j = 0; j < width; ++j) out[j] = in[j] + residual[row * width + j];
    else
      std::copy_n(in, width, out);
  }
}

void scatter(const Routed& routed, int64_t width, GateKind gate, float* outputs,
             const float* residual, float* y) {
  parallel_chunks(routed.rows, grain(width), [&](int64_t begin, int64_t end) {
    scatter_rows(routed, begin, end, width, gate, outputs, residual, y);
  });
}

}  // namespace shiftadd::infer
