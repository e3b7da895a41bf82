// Softmax attention whose queries and keys are sign codes (You et al. 2023, ShiftAddViT,
// arXiv 2306.06446): backward makes codes and scores again, as softmax_attention does.
#include "autograd/ops.h"
#include "autograd/ops/attention_inputs.h"

namespace shiftadd::autograd {
namespace {

constexpr const char* kOp = "softmax_add_attention";

Variable attend(const AttentionInputs& in, ValueFormat value, double given_scale) {
  const AttentionShape s = in.shape;
  const double scale = attention_scale(kOp, given_scale, s);
  const Tensor out = in.output();
  const bool recorded = will_record(in.variables);
  Tensor log_sum_exp;
  if (recorded) log_sum_exp = Tensor({s.batch, s.heads, s.queries}, in.dtype());
  dispatch(in.dtype(), [&]<class T>() {
    const AttentionTensors& x = in.values;
    const auto kernel = recorded ? kernels<T>().softmax_add : kernels<T>().popcount_attention;
    kernel({s, scale, value, x.at<T>(x.q), x.at<T>(x.k), x.at<T>(x.v), out.data<T>(),
            pointer<T>(log_sum_exp)});
  });
  return make_result(
      kOp, out, in.variables, [=, x = in.values](const Tensor& dout) -> std::vector<Tensor> {
        const AttentionTensors dx = x.gradients(s);
        dispatch(dout.dtype(), [&]<class T>() {
          kernels<T>().softmax_add_backward(
              {s, scale, value, x.at<T>(x.q), x.at<T>(x.k), x.at<T>(x.v), out.data<T>(),
               log_sum_exp.data<T>(), dout.data<T>(), dx.at<T>(x.q), dx.at<T>(x.k), dx.at<T>(x.v)});
        });
        return dx.tensors;
      });
}

}  // namespace

Variable softmax_add_attention(const Variable& qkv, int64_t heads, ValueFormat value,
                               int64_t queries, double scale) {
  return attend(fused_inputs(kOp, qkv, heads, queries), value, scale);
}
Variable softmax_add_attention(const Variable& q, const Variable& kv, int64_t heads,
                               ValueFormat value, double scale) {
  return attend(paired_inputs(kOp, q, kv, heads), value, scale);
}

}  // namespace shiftadd::autograd
