// Linear-angular attention (You et al. 2023, Castling-ViT, arXiv 2211.10526) with the codes of
// ShiftAddViT (You et al. 2023, arXiv 2306.06446).
#include <utility>

#include "autograd/ops.h"
#include "autograd/ops/attention_inputs.h"

namespace shiftadd::autograd {
namespace {

constexpr const char* kOp = "linear_angular_attention";

LocalShape check_local(const Variable& weight, int64_t tokens, const LinearAngularOptions& o) {
  if (!weight.defined()) return {};
  check_rank(kOp, "local_weight", weight, 4);
  LocalShape s{weight.dim(2), weight.dim(3), 0, 0, o.prefix};
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

Variable attend(const AttentionInputs& in, const Variable& local_weight,
                const LinearAngularOptions& options) {
  const AttentionShape s = in.shape;
  const LocalShape local = check_local(local_weight, s.keys, options);
  check_same_dtype(kOp, in.variables.front(), {local_weight});
  const Codes codes = options.codes;
  if (codes == Codes::kBipolar2)
    throw user_error("[", kOp, "] codes are bipolar2: expected none, signs or unit codes");
  const ValueFormat value = options.value;
  const Tensor out = in.output();
  Tensor thresholds;
  if (is_unit(codes)) thresholds = Tensor({2, s.batch, s.heads}, in.dtype());
  const Tensor weight = local_weight.defined() ? local_weight.value() : Tensor();
  std::vector<Variable> inputs = in.variables;
  inputs.push_back(local_weight);
  const bool adds = codes == Codes::kSign && !will_record(inputs);
  dispatch(in.dtype(), [&]<class T>() {
    const AttentionTensors& x = in.values;
    const auto kernel = adds ? kernels<T>().add_attention : kernels<T>().linear_angular;
    kernel({s, codes, value, local, x.at<T>(x.q), x.at<T>(x.k), x.at<T>(x.v), pointer<T>(weight),
            pointer<T>(thresholds), out.data<T>()});
  });
  ParameterGradient dweight(local_weight);
  return make_result(kOp, out, std::move(inputs),
                     [=, x = in.values](const Tensor& dout) mutable -> std::vector<Tensor> {
                       AttentionTensors dx = x;  // written whole
                       for (Tensor& each : dx.tensors) each = Tensor(each.shape(), each.dtype());
                       const Tensor dlocal = dweight.target();
                       dispatch(dout.dtype(), [&]<class T>() {
                         kernels<T>().linear_angular_backward(
                             {s, codes, value, local, x.at<T>(x.q), x.at<T>(x.k), x.at<T>(x.v),
                              pointer<T>(weight), pointer<T>(thresholds), dout.data<T>(),
                              dx.at<T>(x.q), dx.at<T>(x.k), dx.at<T>(x.v), pointer<T>(dlocal)});
                       });
                       dx.tensors.push_back(dweight.result());
                       return dx.tensors;
                     });
}

}  // namespace

Variable linear_angular_attention(const Variable& qkv, const Variable& local_weight,
                                  const LinearAngularOptions& options) {
  return attend(fused_inputs(kOp, qkv, options.heads, options.queries), local_weight, options);
}
Variable linear_angular_attention(const Variable& q, const Variable& kv,
                                  const Variable& local_weight,
                                  const LinearAngularOptions& options) {
  const AttentionInputs inputs = paired_inputs(kOp, q, kv, options.heads);
  check_one_key_a_query(kOp, inputs);
  return attend(inputs, local_weight, options);
}

}  // namespace shiftadd::autograd
