// Softmax attention whose queries and keys are sign codes (You et al. 2023, ShiftAddViT,
// arXiv 2306.06446): backward makes codes and scores again, as softmax_attention does.
#include "autograd/ops.h"
#include "autograd/ops/fused_qkv.h"

namespace shiftadd::autograd {

Variable softmax_add_attention(const Variable& qkv, int64_t heads, ValueFormat value,
                               int64_t queries) {
  const AttentionShape s = check_fused_qkv("softmax_add_attention", qkv, heads, queries);
  const int64_t channels = qkv.dim(2) / 3;
  const Tensor out({s.batch, s.queries, channels}, qkv.dtype());
  const bool recorded = will_record({qkv});
  Tensor log_sum_exp;
  if (recorded) log_sum_exp = Tensor({s.batch, heads, s.queries}, qkv.dtype());
  dispatch(qkv.dtype(), [&]<class T>() {
    const T* q = qkv.value().data<T>();
    const auto kernel = recorded ? kernels<T>().softmax_add : kernels<T>().popcount_attention;
    kernel({s, value, q, q + channels, q + 2 * channels, out.data<T>(), pointer<T>(log_sum_exp)});
  });
  return make_result(
      "softmax_add_attention", out, {qkv},
      [=, kept = qkv.value()](const Tensor& dout) -> std::vector<Tensor> {
        const Tensor dqkv = fused_gradient(kept, s);
        dispatch(dout.dtype(), [&]<class T>() {
          const T* q = kept.data<T>();
          T* dq = dqkv.data<T>();
          kernels<T>().softmax_add_backward({s, value, q, q + channels, q + 2 * channels,
                                             out.data<T>(), log_sum_exp.data<T>(), dout.data<T>(),
                                             dq, dq + channels, dq + 2 * channels});
        });
        return {dqkv};
      });
}

}  // namespace shiftadd::autograd
