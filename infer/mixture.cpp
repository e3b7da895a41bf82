// Chooses each token's expert, gathers the tokens by expert, and puts the answers back in place.
#include "infer/mixture.h"

#include <algorithm>
#include <cmath>

#include "core/parallel.h"

namespace shiftadd::infer {
namespace {

int64_t grain(int64_t width) { return std::max<int64_t>(1, 16384 / width); }

}  // namespace

int64_t route(const Linear& router, const float* x, int64_t rows, GateKind gate, double shift_share,
              const MixtureRoom& room, const ChoiceSink& sink) {
  const bool fixed = gate == GateKind::kFixedSplit;
  if (!fixed)
    gemm_packed(x, router.inputs(), rows, router.weight, room.logits, 2, router.bias.data<float>());
  int64_t first = 0, second = rows;
  for (int64_t row = 0; row < rows; ++row) {
    const auto before = [&](int64_t r) { return std::floor(static_cast<double>(r) * shift_share); };
    const bool shifted = shift_share >= 0 ? before(row + 1) > before(row)
                         : fixed          ? fixed_split_expert(row % sink.tokens) == kShiftExpert
                                          : room.logits[2 * row + 1] > room.logits[2 * row];
    const uint8_t choice = shifted ? kShiftExpert : kMultExpert;
    room.order[choice == kMultExpert ? first++ : --second] = static_cast<int32_t>(row);
    if (sink.to) sink.to[row / sink.tokens * sink.image_stride + row % sink.tokens] = choice;
  }
  std::reverse(room.order + first, room.order + rows);
  if (gate == GateKind::kProbability) kernels<float>().softmax({rows, 2, room.logits, room.logits});
  return first;
}

void gather(const MixtureRoom& room, const float* x, int64_t rows, int64_t width) {
  parallel_chunks(rows, grain(width), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      std::copy_n(x + room.order[i] * width, width, room.gathered + i * width);
  });
}

void scatter_rows(const MixtureRoom& room, int64_t begin, int64_t end, int64_t first,
                  int64_t outputs, GateKind gate, const float* residual, float* y) {
  for (int64_t i = begin; i < end; ++i) {
    const int64_t row = room.order[i];
    float *in = room.outputs + i * outputs, *out = y + row * outputs;
    if (gate == GateKind::kProbability) {  // rounded before the residual joins
      const float factor = room.logits[2 * row + (i < first ? kMultExpert : kShiftExpert)];
      for (int64_t j = 0; j < outputs; ++j) in[j] *= factor;
    }
    if (residual)
      for (int64_t j = 0; j < outputs; ++j) out[j] = in[j] + residual[row * outputs + j];
    else
      std::copy_n(in, outputs, out);
  }
}

void scatter(const MixtureRoom& room, int64_t rows, int64_t first, int64_t outputs, GateKind gate,
             const float* residual, float* y) {
  parallel_chunks(rows, grain(outputs), [&](int64_t begin, int64_t end) {
    scatter_rows(room, begin, end, first, outputs, gate, residual, y);
  });
}

}  // namespace shiftadd::infer
