// Linear attention on codes with a window of softmax (core/kernels/attention.h says the formula;
// the idea of both under one denominator is LoLCATs', Zhang et al. 2024, arXiv 2410.10254).
// Backward makes codes and weights again.
#include "autograd/ops.h"
#include "autograd/ops/temperature.h"

namespace shiftadd::autograd {
namespace {

constexpr const char* kOp = "window_attention";

Variable attend(const AttentionInputs& in, const WindowAttentionOptions& options) {
  check_scores(kOp, in, Codes::kBipolar2, options.temperature);
  const AttentionShape s = in.shape;
  const PatchGrid grid = options.grid;
  if (grid.grid_h < 1 || grid.grid_w < 1 || grid.first < 0 || grid.tokens() != s.keys)
    throw user_error("[", kOp, "] ", s.keys, " tokens for ", grid.first, " and ", grid.grid_h,
                     " x ", grid.grid_w, " patches: expected as many");
  const Scores scores(Codes::kBipolar2, attention_scale(kOp, options.scale, s),
                      options.temperature);
  const ValueFormat value = options.value;
  const Tensor out = in.output();
  const bool recorded = will_record(in.variables) || will_record({options.temperature});
  dispatch(in.dtype(), [&]<class T>() {
    const AttentionTensors& x = in.values;
    const auto kernel =
        recorded ? kernels<T>().window_attention : kernels<T>().dot_window_attention;
    kernel({s, scores.args<T>(), value, grid, x.at<T>(x.q), x.at<T>(x.k), x.at<T>(x.v),
            out.data<T>()});
  });
  return coded_attention(
      kOp, out, in, options.temperature,
      [=]<class T>(const AttentionTensors& x, const AttentionTensors& dx, const Tensor& dout,
                   T* parts) {
        kernels<T>().window_attention_backward(
            {s, scores.args<T>(), value, grid, x.at<T>(x.q), x.at<T>(x.k), x.at<T>(x.v),
             out.data<T>(), dout.data<T>(), dx.at<T>(x.q), dx.at<T>(x.k), dx.at<T>(x.v), parts});
      });
}

}  // namespace

Variable window_attention(const Variable& qkv, const WindowAttentionOptions& options) {
  return attend(fused_inputs(kOp, qkv, options.heads, options.queries), options);
}
Variable window_attention(const Variable& q, const Variable& kv,
                          const WindowAttentionOptions& options) {
  const AttentionInputs inputs = paired_inputs(kOp, q, kv, options.heads);
  check_one_key_a_query(kOp, inputs);
  return attend(inputs, options);
}

}  // namespace shiftadd::autograd
