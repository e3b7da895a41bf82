// Projects tokens to q, k and v, calls the kind of attention that the block has, and projects back.
#include "layers/attention.h"

#include "autograd/ops.h"
#include "layers/mixture.h"

namespace shiftadd::layers {
namespace {

// A parameter of its own. Filters start as zeros: so a converted network begins without them.
struct Single : Module {
  Single(const std::string& name, Tensor start) { value = add_parameter(name, std::move(start)); }
  Variable value;
};

constexpr uint64_t kProjStream = 1, kKvStream = 2;  // of the noise of their routers

}  // namespace

Attention::Attention(const BlockSpec& block, const ShiftAddSpec& options, Random& random)
    : spec_(block.attention), grid_(block.grid), prefix_(block.prefix) {
  const auto add = [&](const LinearSpec& spec) {
    return add_module(make_linear_layer(spec, options, random));
  };
  if (const auto* apart = std::get_if<SeparateKv>(&spec_.projection)) {
    first_ = add(apart->q);
    if (apart->reduction)
      reduction_ = add_module(std::make_unique<Convolution>(*apart->reduction, random));
    if (apart->reduction_norm)
      reduction_norm_ = add_module(std::make_unique<LayerNorm>(*apart->reduction_norm));
    kv_ = add(apart->kv);
  } else {
    first_ = add(std::get<FusedQkv>(spec_.projection).qkv);
  }
  proj_ = add(spec_.proj);
  const auto single = [this](const std::string& name, Tensor start) {
    return add_module(std::make_unique<Single>(name, std::move(start)))->value;
  };
  if (spec_.local)
    local_ = single(spec_.local->name + ".weight", Tensor::zeros(spec_.local->shape()));
  if (!spec_.temperature.empty())
    temperature_ = single(spec_.temperature, Tensor::full({spec_.heads}, 1));
}

Attention::Projected Attention::project(const Variable& x, const Pass& pass) const {
  const Variable first = first_->forward(x, {}, pass);
  if (!kv_) return {first, {}};
  Variable source = x;
  if (reduction_) source = reduction_->of_tokens(x, grid_);
  if (reduction_norm_) source = reduction_norm_->forward(source);
  Pass after = pass;
  after.noise_stream = stream_of(pass.noise_stream, kKvStream);
  return {first, kv_->forward(source, {}, after)};
}

Variable Attention::attend_linearly(const Projected& in, int64_t queries) const {
  if (spec_.has_window()) {
    const autograd::WindowAttentionOptions window = {.heads = spec_.heads,
                                                     .value = spec_.values,
                                                     .queries = queries,
                                                     .scale = spec_.scale,
                                                     .temperature = temperature_,
                                                     .grid = {grid_.height, grid_.width, prefix_}};
    return kv_ ? autograd::window_attention(in.first, in.kv, window)
               : autograd::window_attention(in.first, window);
  }
  const autograd::LinearAngularOptions options = {.heads = spec_.heads,
                                                  .codes = spec_.codes.kind,
                                                  .value = spec_.values,
                                                  .prefix = prefix_,
                                                  .grid_h = grid_.height,
                                                  .grid_w = grid_.width,
                                                  .queries = queries};
  return kv_ ? autograd::linear_angular_attention(in.first, in.kv, local_, options)
             : autograd::linear_angular_attention(in.first, local_, options);
}

Variable Attention::attend_on_codes(const Projected& in, int64_t queries) const {
  const autograd::SoftmaxAddOptions options = {.heads = spec_.heads,
                                               .codes = spec_.codes.kind,
                                               .value = spec_.values,
                                               .queries = queries,
                                               .scale = spec_.scale,
                                               .temperature = temperature_};
  return kv_ ? autograd::softmax_add_attention(in.first, in.kv, options)
             : autograd::softmax_add_attention(in.first, options);
}

Variable Attention::attend(const Projected& projected, int64_t queries, double code_slope) const {
  const int64_t width = spec_.heads * spec_.head_dim;
  Projected in = projected;
  const Codes codes = spec_.codes.kind;
  if (code_slope > 0 && is_whole(codes)) {
    in.first = autograd::smooth_codes(in.first, codes, kv_ ? width : 2 * width, code_slope);
    if (kv_) in.kv = autograd::smooth_codes(in.kv, codes, width, code_slope);
  }
  switch (spec_.kind) {
    case AttentionKind::kSoftmax:
      return kv_ ? autograd::softmax_attention(in.first, in.kv, spec_.heads, spec_.scale)
                 : autograd::softmax_attention(in.first, spec_.heads, queries, spec_.scale);
    case AttentionKind::kSoftmaxAdd:
      return attend_on_codes(in, queries);
    case AttentionKind::kLinear:
    case AttentionKind::kLinearAdd:
      return attend_linearly(in, queries);
  }
  throw failure("[attention] unknown kind");
}

Variable Attention::apply(const Variable& x, int64_t queries, const Variable& residual,
                          const Pass& pass) const {
  const Projected in = project(x, pass);
  const Variable attended = attend(in, queries, pass.code_slope);
  if (pass.traces)
    pass.traces->push_back({.input = x.value(),
                            .q = in.first.value(),
                            .k = (kv_ ? in.kv : in.first).value(),
                            .k_column = kv_ ? 0 : spec_.heads * spec_.head_dim,
                            .attended = attended.value(),
                            .output = proj_->forward(attended, {}, pass).value()});
  Pass after = pass;
  after.noise_stream = stream_of(pass.noise_stream, kProjStream);
  return proj_->forward(attended, residual, after);
}

Variable Attention::forward(const Variable& x, const Variable& residual, const Branch& branch,
                            const Pass& pass) const {
  if (branch.plain()) return apply(x, residual.dim(1), residual, pass);
  return branch.add(residual, apply(x, residual.dim(1), {}, pass));
}

}  // namespace shiftadd::layers
