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

Attention::Attention(const ModelSpec& spec, const BlockKinds& block, Random& random)
    : spec_(spec), block_(block) {
  const ShiftAddSpec& options = spec.shift_add;
  const auto add = [&](const char* name, LayerKind kind, int64_t out) {
    return add_module(name,
                      make_token_layer(kind, spec.width, options.gate, random, [&](bool shift) {
                        return make_projection(shift, spec.width, out, options, random);
                      }));
  };
  qkv_ = add("qkv", block.qkv, 3 * spec.width);
  proj_ = add("proj", block.proj, spec.width);
  if (block.is_linear())
    local_ =
        add_module("token_conv", std::make_unique<LocalConvolution>(local_shape(spec)))->weight;
}

Variable Attention::attend(const Variable& projected, int64_t queries, double code_slope) const {
  const ShiftAddSpec& options = spec_.shift_add;
  const bool smooth = code_slope > 0 && block_.has_sign_codes(options.codes);
  const Variable qkv = smooth ? autograd::smooth_signs(projected, code_slope) : projected;
  switch (block_.attention) {
    case AttentionKind::kSoftmax:
      return autograd::softmax_attention(qkv, spec_.heads, queries);
    case AttentionKind::kSoftmaxAdd:
      return autograd::softmax_add_attention(qkv, spec_.heads, options.values, queries);
    case AttentionKind::kLinear:
    case AttentionKind::kLinearAdd: {
      const bool codes = block_.attention == AttentionKind::kLinearAdd;
      return autograd::linear_angular_attention(
          qkv, local_,
          {.heads = spec_.heads,
           .codes = codes ? options.codes : Codes::kNone,
           .value = codes ? options.values : ValueFormat::kFloat,
           .class_token = true,
           .grid_h = spec_.grid(),
           .grid_w = spec_.grid(),
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
