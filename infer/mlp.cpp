// See mlp.h.
#include "infer/mlp.h"

#include <algorithm>

#include "core/parallel.h"

namespace shiftadd::infer {
namespace {

void run_rows(const Mlp& mlp, float* x, int64_t rows, float* y, const float* residual,
              float* hidden, const QuantizedRoom& room, StageTimes* times) {
  {
    const StageTimer timer(times, StageTimes::kFc1);
    apply(mlp.fc1, x, rows, hidden, room, {.activation = Activation::kGelu});
  }
  const StageTimer timer(times, StageTimes::kFc2);
  apply(mlp.fc2, hidden, rows, y, room, {.residual = residual});
}

}  // namespace

void run_mlp(const Mlp& mlp, float* x, int64_t rows, float* y, const float* residual, float* hidden,
             const QuantizedRoom& room, StageTimes* times) {
  if (!mlp.fc1.in_integers() || !mlp.fc2.in_integers())
    return run_rows(mlp, x, rows, y, residual, hidden, room, times);
  constexpr int64_t kRows = 64;  // a task of int8_gemm; 64 x 768 floats are 192 KiB
  const int64_t in = mlp.fc1.inputs(), between = mlp.fc1.outputs(), out = mlp.fc2.outputs();
  const int64_t codes = std::max(in, between);
  parallel_chunks(rows, kRows, [&](int64_t begin, int64_t end) {
    const QuantizedRoom own = {room.codes + begin * codes, room.scales + begin};
    run_rows(mlp, x + begin * in, end - begin, y + begin * out,
             residual ? residual + begin * out : nullptr, hidden + begin * between, own, times);
  });
}

}  // namespace shiftadd::infer
