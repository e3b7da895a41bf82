// Fused softmax attention (Vaswani et al. 2017) without a stored score matrix: the row-wise
// log-sum-exp is kept and backward recomputes the scores (Dao et al. 2022, "FlashAttention",
// section 3.1).
#include <cmath>

#include "autograd/ops.h"
#include "autograd/ops/fused_qkv.h"

namespace shiftadd::autograd {
Variable softmax_attention(const Variable& qkv, int64_t heads, int64_t queries) {
  const AttentionShape s = check_fused_qkv("softmax_attention", qkv, heads, queries);
  const int64_t channels = qkv.dim(2) / 3;
  const double scale = 1 / std::sqrt(static_cast<double>(s.head_dim));
  const Tensor out({s.batch, s.queries, channels}, qkv.dtype());
  Tensor log_sum_exp;
  if (will_record({qkv})) log_sum_exp = Tensor({s.batch, heads, s.queries}, qkv.dtype());
  dispatch(qkv.dtype(), [&]<class T>() {
    const T* q = qkv.value().data<T>();
    kernels<T>().attention(
        {s, scale, q, q + channels, q + 2 * channels, out.data<T>(), pointer<T>(log_sum_exp)});
  });
  return make_result(
      "softmax_attention", out, {qkv},
      [s, scale, out, log_sum_exp, kept = qkv.value()](const Tensor& dout) -> std::vector<Tensor> {
        const int64_t channels = s.heads * s.head_dim;
        const Tensor dqkv = fused_gradient(kept, s);
        dispatch(dout.dtype(), [&]<class T>() {
          const T* q = kept.data<T>();
          T* dq = dqkv.data<T>();
          kernels<T>().attention_backward({s, scale, q, q + channels, q + 2 * channels,
                                           out.data<T>(), log_sum_exp.data<T>(), dout.data<T>(), dq,
                                           dq + channels, dq + 2 * channels});
        });
        return {dqkv};
      });
}

Variable softmax_attention(const Variable& q, const Variable& k, const Variable& v, int64_t heads) {
  check_rank("softmax_attention", "q", q, 3);
  check_rank("softmax_attention", "k", k, 3);
  check_same_dtype("softmax_attention", q, {k, v});
  const int64_t batch = q.dim(0), queries = q.dim(1), keys = k.dim(1), channels = q.dim(2);
  check_shape("softmax_attention", "k", k.shape(), {batch, keys, channels});
  check_defined("softmax_attention", "v", v);
  check_shape("softmax_attention", "v", v.shape(), {batch, keys, channels});
  check_heads("softmax_attention", heads, channels, q.shape());
  const int64_t d = channels / heads;
  const double scale = 1 / std::sqrt(static_cast<double>(d));
  const int64_t q_image = queries * channels, k_image = keys * channels;
  const AttentionShape s{batch,   heads,    queries, keys,    d,        d, q_image, channels, d,
                         k_image, channels, d,       k_image, channels, d, q_image, channels, d};
  const Tensor out(q.shape(), q.dtype());
  Tensor log_sum_exp;
  if (will_record({q, k, v})) log_sum_exp = Tensor({batch, heads, queries}, q.dtype());
  dispatch(q.dtype(), [&]<class T>() {
    kernels<T>().attention({s, scale, q.value().data<T>(), k.value().data<T>(), v.value().data<T>(),
                            out.data<T>(), pointer<T>(log_sum_exp)});
  });
  return make_result(
      "softmax_attention", out, {q, k, v},
      [s, scale, out, log_sum_exp, kept_q = q.value(), kept_k = k.value(),
       kept_v = v.value()](const Tensor& dout) -> std::vector<Tensor> {
        const Tensor dq(kept_q.shape(), kept_q.dtype());
        const Tensor dk(kept_k.shape(), kept_k.dtype()), dv(kept_v.shape(), kept_v.dtype());
        dispatch(dout.dtype(), [&]<class T>() {
          kernels<T>().attention_backward(
              {s, scale, kept_q.data<T>(), kept_k.data<T>(), kept_v.data<T>(), out.data<T>(),
               log_sum_exp.data<T>(), dout.data<T>(), dq.data<T>(), dk.data<T>(), dv.data<T>()});
        });
        return {dq, dk, dv};
      });
}

}  // namespace shiftadd::autograd
