// Linear-angular attention (You et al. 2023, Castling-ViT, arXiv 2211.10526) with the codes of
// ShiftAddViT (You et al. 2023, arXiv 2306.06446).
#include "autograd/ops.h"
#include "autograd/ops/fused_qkv.h"

namespace shiftadd::autograd {
namespace {

constexpr const char* kOp = "linear_angular_attention";

LocalShape check_local(const Variable& weight, int64_t tokens, const LinearAngularOptions& o) {
  if (!weight.defined()) return {};
  check_rank(kOp, "local_weight", weight, 4);
  LocalShape s{weight.dim(2), weight.dim(3), 0, 0, o.class_token ? 1 : 0};
  if (weight.dim(0) != o.heads || weight.dim(1) != 1)
    throw user_error("[", kOp, "] local_weight is ", weight.shape(), ": expected one filter (",
                     o.heads, ", 1, h, w) per head");
  for (int64_t size : {s.kernel_h, s.kernel_w})
    if (size % 2 == 0 || size > kMaxLocalKernel)
      throw user_error("[", kOp, "] local_weight is ", weight.shape(),
                       ": expected odd sizes of at most ", kMaxLocalKernel);
  const int64_t patches = tokens - s.first;
  if (s.kernel_w == 1) return {1, s.kernel_h, 1, patches, s.first};  // along the tokens
  if (o.grid_h < 1 || o.grid_w < 1 || o.grid_h * o.grid_w != patches)
    throw user_error("[", kOp, "] a filter ", weight.shape(), " runs on a grid of ", o.grid_h,
                     " x ", o.grid_w, " patches, the input has ", patches,
                     ": expected a grid of as many");
  s.grid_h = o.grid_h;
  s.grid_w = o.grid_w;
  return s;
}

}  // namespace

Variable linear_angular_attention(const Variable& qkv, const Variable& local_weight,
                                  const LinearAngularOptions& options) {
  const AttentionShape s = check_fused_qkv(kOp, qkv, options.heads, options.queries);
  const LocalShape local = check_local(local_weight, s.keys, options);
  check_same_dtype(kOp, qkv, {local_weight});
  const int64_t channels = qkv.dim(2) / 3;
  const Codes codes = options.codes;
  const ValueFormat value = options.value;
  const Tensor out({s.batch, s.queries, channels}, qkv.dtype());
  Tensor thresholds;
  if (codes == Codes::kUnitHead || codes == Codes::kUnitBatch)
    thresholds = Tensor({2, s.batch, s.heads}, qkv.dtype());
  const Tensor weight = local_weight.defined() ? local_weight.value() : Tensor();
  const bool adds = codes == Codes::kSign && !will_record({qkv, local_weight});
  dispatch(qkv.dtype(), [&]<class T>() {
    const T* q = qkv.value().data<T>();
    const auto kernel = adds ? kernels<T>().add_attention : kernels<T>().linear_angular;
    kernel({s, codes, value, local, q, q + channels, q + 2 * channels, pointer<T>(weight),
            pointer<T>(thresholds), out.data<T>()});
  });
  ParameterGradient dweight(local_weight);
  return make_result(kOp, out, {qkv, local_weight},
                     [=, kept = qkv.value()](const Tensor& dout) mutable -> std::vector<Tensor> {
                       const Tensor dqkv(kept.shape(), kept.dtype()), dlocal = dweight.target();
                       dispatch(dout.dtype(), [&]<class T>() {
                         const T* q = kept.data<T>();
                         T* dq = dqkv.data<T>();
                         kernels<T>().linear_angular_backward(
                             {s, codes, value, local, q, q + channels, q + 2 * channels,
                              pointer<T>(weight), pointer<T>(thresholds), dout.data<T>(), dq,
                              dq + channels, dq + 2 * channels, pointer<T>(dlocal)});
                       });
                       return {dqkv, dweight.result()};
                     });
}

}  // namespace shiftadd::autograd
