// Runs the two layers of an MLP on all rows or, where both are in integers, on a few at a time.
#include "infer/mlp.h"

#include <algorithm>

#include "core/parallel.h"

namespace shiftadd::infer {
namespace {

void run_rows(const Mlp& mlp, float* x, int64_t rows, float* y, const float* residual,
              float* hidden, const QuantizedRoom& room, PartSeconds* times) {
  {
    const LayerTimer timer(times, LayerPart::kFc1);
    apply(mlp.fc1, x, rows, hidden, room, {.activation = Activation::kGelu});
  }
  const LayerTimer timer(times, LayerPart::kFc2);
  apply(mlp.fc2, hidden, rows, y, room, {.residual = residual});
}

}  // namespace

void run_mlp(const Mlp& mlp, float* x, int64_t rows, float* y, const float* residual, float* hidden,
             const QuantizedRoom& room, PartSeconds* times) {
  if (!mlp.in_integers()) return run_rows(mlp, x, rows, y, residual, hidden, room, times);
  const int64_t in = mlp.fc1.inputs(), between = mlp.fc1.outputs(), out = mlp.fc2.outputs();
  const int64_t codes = std::max(in, between);
  parallel_chunks(rows, kExpertRows, [&](int64_t begin, int64_t end) {
    const QuantizedRoom own = {room.codes + begin * codes, room.scales + begin};
    run_rows(mlp, x + begin * in, end - begin, y + begin * out,
             residual ? residual + begin * out : nullptr, hidden + begin * between, own, times);
  });
}

void run_expert(const Mlp& expert, const QuantizedRoom& tokens, const int32_t* order, int64_t rows,
                float* y, float* hidden, const QuantizedRoom& room) {
  apply_quantized(expert.fc1, tokens, order, rows, hidden, {.activation = Activation::kGelu});
  apply(expert.fc2, hidden, rows, y, room);
}

void run_routed_mlp(const Mixture<Mlp>& mlp, const float* normed, int64_t rows, GateKind gate,
                    double shift_share, float* x, float* hidden, const MixtureRoom& mixture,
                    const QuantizedRoom& tokens, const QuantizedRoom& room, const ChoiceSink& sink,
                    PartSeconds* times) {
  const int64_t width = mlp.experts[0].fc1.inputs(), between = mlp.experts[0].fc1.outputs();
  int64_t first;
  {
    const LayerTimer timer(times, LayerPart::kRouter);
    first = route(mlp.router, normed, rows, gate, shift_share, mixture, sink);
    kernels<float>().quantize_tokens(
        {rows, width, normed, tokens.scales, nullptr, nullptr, tokens.codes});
  }
  const int64_t blocks_first = (first + kExpertRows - 1) / kExpertRows;
  const int64_t blocks = blocks_first + (rows - first + kExpertRows - 1) / kExpertRows;
  parallel_for(blocks, [&](int64_t block) {
    const bool shifts = block >= blocks_first;
    const int64_t begin =
        shifts ? first + (block - blocks_first) * kExpertRows : block * kExpertRows;
    const int64_t end = std::min(begin + kExpertRows, shifts ? rows : first), count = end - begin;
    const Mlp& expert = mlp.experts[shifts ? kShiftExpert : kMultExpert];
    float *own_hidden = hidden + begin * between, *out = mixture.outputs + begin * width;
    const LayerTimer timer(times, shifts ? LayerPart::kShiftExpert : LayerPart::kMultExpert);
    run_expert(expert, tokens, mixture.order + begin, count, out, own_hidden,
               {room.codes + begin * between, room.scales + begin});
    scatter_rows(mixture, begin, end, first, width, gate, x, x);
  });
}

}  // namespace shiftadd::infer
