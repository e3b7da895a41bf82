// Fused softmax attention (Vaswani et al. 2017) without a stored score matrix: the row-wise
// log-sum-exp is kept and backward recomputes the scores (Dao et al. 2022, "FlashAttention",
// section 3.1).
#include "autograd/ops.h"
#include "autograd/ops/attention_inputs.h"

namespace shiftadd::autograd {
namespace {

constexpr const char* kOp = "softmax_attention";

Variable attend(const AttentionInputs& in, double given_scale) {
  const AttentionShape s = in.shape;
  const double scale = attention_scale(kOp, given_scale, s);
  const Tensor out = in.output();
  Tensor log_sum_exp;
  if (will_record(in.variables)) log_sum_exp = Tensor({s.batch, s.heads, s.queries}, in.dtype());
  dispatch(in.dtype(), [&]<class T>() {
    const AttentionTensors& x = in.values;
    kernels<T>().attention({s, scale, x.at<T>(x.q), x.at<T>(x.k), x.at<T>(x.v), out.data<T>(),
                            pointer<T>(log_sum_exp)});
  });
  return make_result(
      kOp, out, in.variables,
      [s, scale, out, log_sum_exp, x = in.values](const Tensor& dout) -> std::vector<Tensor> {
        const AttentionTensors dx = x.gradients(s);
        dispatch(dout.dtype(), [&]<class T>() {
          kernels<T>().attention_backward({s, scale, x.at<T>(x.q), x.at<T>(x.k), x.at<T>(x.v),
                                           out.data<T>(), log_sum_exp.data<T>(), dout.data<T>(),
                                           dx.at<T>(x.q), dx.at<T>(x.k), dx.at<T>(x.v)});
        });
        return dx.tensors;
      });
}

}  // namespace

Variable softmax_attention(const Variable& qkv, int64_t heads, int64_t queries, double scale) {
  return attend(fused_inputs(kOp, qkv, heads, queries), scale);
}
Variable softmax_attention(const Variable& q, const Variable& kv, int64_t heads, double scale) {
  return attend(paired_inputs(kOp, q, kv, heads), scale);
}
Variable softmax_attention(const Variable& q, const Variable& k, const Variable& v, int64_t heads,
                           double scale) {
  return attend(separate_inputs(kOp, q, k, v, heads), scale);
}

}  // namespace shiftadd::autograd
