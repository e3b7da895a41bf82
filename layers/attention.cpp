// Projects tokens to q, k and v, calls the kind of attention that the block has, and projects back.
#include "layers/attention.h"

#include "autograd/ops.h"
#include "layers/mixture.h"

namespace shiftadd::layers {
namespace {

// Each head has one filter, which starts as zeros: so a converted network begins without it.
struct LocalConvolution : Module {
  explicit LocalConvolution(const Shape& shape) {
    weight = add_parameter("weight", Tensor::zeros(shape));
  }
  Variable weight;
};

}  // namespace

Attention::Attention(const BlockSpec& block, const ShiftAddSpec& options, Random& random)
    : spec_(block.attention), options_(options), grid_(block.grid) {
  const auto add = [&](const char* name, const LinearSpec& spec) {
    return add_module(name,
                      make_token_layer(spec.kind, spec.in, options.gate, random, [&](bool shift) {
                        return make_projection(shift, spec.in, spec.out, options, random);
                      }));
  };
  qkv_ = add("qkv", spec_.qkv);
  proj_ = add("proj", spec_.proj);
  if (spec_.local)
    local_ =
        add_module("token_conv", std::make_unique<LocalConvolution>(spec_.local->shape()))->weight;
}

Variable Attention::attend(const Variable& projected, int64_t queries, double code_slope) const {
  const bool smooth = code_slope > 0 && has_sign_codes(spec_.kind, options_.codes);
  const Variable qkv = smooth ? autograd::smooth_signs(projected, code_slope) : projected;
  switch (spec_.kind) {
    case AttentionKind::kSoftmax:
      return autograd::softmax_attention(qkv, spec_.heads, queries);
    case AttentionKind::kSoftmaxAdd:
      return autograd::softmax_add_attention(qkv, spec_.heads, options_.values, queries);
    case AttentionKind::kLinear:
    case AttentionKind::kLinearAdd: {
      const bool codes = spec_.kind == AttentionKind::kLinearAdd;
      return autograd::linear_angular_attention(
          qkv, local_,
          {.heads = spec_.heads,
           .codes = codes ? options_.codes : Codes::kNone,
           .value = codes ? options_.values : ValueFormat::kFloat,
           .class_token = true,
           .grid_h = grid_,
           .grid_w = grid_,
           .queries = queries});
    }
  }
  throw failure("[attention] unknown kind");
}

Variable Attention::apply(const Variable& x, int64_t queries, const Variable& residual,
                          const Pass& pass) const {
  const Variable qkv = qkv_->forward(x, {}, pass);
  const Variable attended = attend(qkv, queries, pass.code_slope);
  if (pass.traces)
    pass.traces->push_back(
        {x.value(), qkv.value(), attended.value(), proj_->forward(attended, {}, pass).value()});
  Pass after = pass;
  after.noise_stream = stream_of(pass.noise_stream, 1);
  return proj_->forward(attended, residual, after);
}

Variable Attention::forward(const Variable& x, const Variable& residual, const Branch& branch,
                            const Pass& pass) const {
  if (branch.plain()) return apply(x, residual.dim(1), residual, pass);
  return branch.add(residual, apply(x, residual.dim(1), {}, pass));
}

}  // namespace shiftadd::layers
