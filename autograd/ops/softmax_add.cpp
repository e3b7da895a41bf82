// Softmax attention whose queries and keys are codes (You et al. 2023, ShiftAddViT, arXiv
// 2306.06446), with a temperature for each head where given: backward makes codes and scores again,
// as softmax_attention does.
#include "autograd/ops.h"
#include "autograd/ops/temperature.h"

namespace shiftadd::autograd {
namespace {

constexpr const char* kOp = "softmax_add_attention";

Variable attend(const AttentionInputs& in, const SoftmaxAddOptions& options) {
  check_scores(kOp, in, options.codes, options.temperature);
  const AttentionShape s = in.shape;
  const Scores scores(options.codes, attention_scale(kOp, options.scale, s), options.temperature);
  const ValueFormat value = options.value;
  const Tensor out = in.output();
  const bool recorded = will_record(in.variables) || will_record({options.temperature});
  Tensor log_sum_exp;
  if (recorded) log_sum_exp = Tensor({s.batch, s.heads, s.queries}, in.dtype());
  dispatch(in.dtype(), [&]<class T>() {
    const AttentionTensors& x = in.values;
    const auto kernel = recorded ? kernels<T>().softmax_add : kernels<T>().popcount_attention;
    kernel({s, scores.args<T>(), value, x.at<T>(x.q), x.at<T>(x.k), x.at<T>(x.v), out.data<T>(),
            pointer<T>(log_sum_exp)});
  });
  return coded_attention(kOp, out, in, options.temperature,
                         [=]<class T>(const AttentionTensors& x, const AttentionTensors& dx,
                                      const Tensor& dout, T* parts) {
                           kernels<T>().softmax_add_backward(
                               {s, scores.args<T>(), value, x.at<T>(x.q), x.at<T>(x.k),
                                x.at<T>(x.v), out.data<T>(), log_sum_exp.data<T>(), dout.data<T>(),
                                dx.at<T>(x.q), dx.at<T>(x.k), dx.at<T>(x.v), parts});
                         });
}

}  // namespace

Variable softmax_add_attention(const Variable& qkv, const SoftmaxAddOptions& options) {
  return attend(fused_inputs(kOp, qkv, options.heads, options.queries), options);
}
Variable softmax_add_attention(const Variable& q, const Variable& kv,
                               const SoftmaxAddOptions& options) {
  return attend(paired_inputs(kOp, q, kv, options.heads), options);
}

}  // namespace shiftadd::autograd
