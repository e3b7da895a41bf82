// See weights.h.
#include "infer/weights.h"

#include <algorithm>
#include <map>

#include "core/model/model_file.h"
#include "infer/attention.h"

namespace shiftadd::infer {
namespace {

// The trained values of a linear layer: weight (outputs, inputs...), or of form ps a shift and a
// sign.
struct Latent {
  Tensor weight, sign, bias;

  Latent rows(int64_t begin, int64_t end) const {
    return {weight.slice(begin, end), sign.defined() ? sign.slice(begin, end) : Tensor(),
            bias.slice(begin, end).clone()};
  }
};

PackedMatrix pack_floats(const Tensor& weight) {
  const int64_t outputs = weight.dim(0);
  return PackedMatrix(weight.data<float>(), outputs, weight.numel() / outputs);
}

Linear multiplied(const Latent& latent) {
  Linear linear;
  linear.weight = pack_floats(latent.weight);
  linear.bias = latent.bias;
  return linear;
}

// s 2^p as floats.
Tensor powers_of_two(const Latent& latent, ShiftFormat format) {
  const Tensor& w = latent.weight;
  const Tensor powers(w.shape());
  if (latent.sign.defined())
    kernels<float>().shift_compose(
        {w.numel(), w.data<float>(), latent.sign.data<float>(), powers.data<float>()});
  else
    kernels<float>().shift_quantize(
        {w.dim(0), w.dim(1), format, w.data<float>(), powers.data<float>(), nullptr, nullptr});
  return powers;
}

Linear shifted(const Latent& latent, const ShiftAddSpec& options) {
  Linear linear;
  linear.int8_input = options.int8_activations;
  linear.bias = latent.bias;
  if (options.int8_activations && options.format == ShiftFormat::k4Bit)
    linear.shift = pack_shift(latent.weight);
  else
    linear.weight = pack_floats(powers_of_two(latent, options.format));
  return linear;
}

// Hands out weights by name, once each, checked against the architecture.
class Shelf {
 public:
  Shelf(const ModelSpec& spec, std::vector<std::pair<std::string, Tensor>> named)
      : options_(spec.shift_add) {
    for (auto& [name, tensor] : named) tensors_.emplace(std::move(name), std::move(tensor));
    for (const ParameterInfo& expected : parameters_of(spec)) {
      const auto found = tensors_.find(expected.name);
      if (found == tensors_.end())
        throw user_error("[infer] the weight ", expected.name, " is missing: expected shape ",
                         expected.shape);
      if (found->second.shape() != expected.shape)
        throw user_error("[infer] ", expected.name, " is ", found->second.shape(), ": expected ",
                         expected.shape);
      floats_ += found->second.numel();
    }
  }

  Tensor take(const std::string& name) {
    auto node = tensors_.extract(name);
    return node.mapped().to(DType::kF32);
  }
  Tensor take_copy(const std::string& name) {
    return take(name).clone();
  }  // lets the file's map go

  Norm norm(const std::string& name) {
    return {take_copy(name + ".weight"), take_copy(name + ".bias")};
  }
  Latent latent(const std::string& name, bool shift) {
    const bool ps = shift && options_.form == ShiftForm::kPs;
    return {take(name + (ps ? ".shift" : ".weight")), ps ? take(name + ".sign") : Tensor(),
            take_copy(name + ".bias")};
  }
  Linear pack(const Latent& latent, bool shift) const {
    return shift ? shifted(latent, options_) : multiplied(latent);
  }
  Linear linear(const std::string& name, bool shift = false) {
    return pack(latent(name, shift), shift);
  }
  Mlp mlp(const std::string& name, bool shift) {
    return {linear(name + ".fc1", shift), linear(name + ".fc2", shift)};
  }

  /// take_layer(name, shift): the layer itself, or both experts behind their router.
  template <class TakeLayer>
  auto mixture(const std::string& name, LayerKind kind, TakeLayer take_layer) {
    Mixture<decltype(take_layer(name, false))> result;
    result.routed = kind == LayerKind::kMixture;
    if (result.routed) {
      if (options_.gate != GateKind::kFixedSplit) result.router = linear(name + ".router");
      for (const int i : {kMultExpert, kShiftExpert})
        result.experts[i] = take_layer(concat(name, ".experts.", i), i == kShiftExpert);
    } else {
      result.experts[0] = take_layer(name, kind == LayerKind::kShift);
    }
    return result;
  }
  Mixture<Linear> linears(const std::string& name, LayerKind kind) {
    return mixture(name, kind,
                   [&](const std::string& each, bool shift) { return linear(each, shift); });
  }
  int64_t floats() const { return floats_; }

 private:
  ShiftAddSpec options_;
  std::map<std::string, Tensor> tensors_;
  int64_t floats_ = 0;
};

Block take_block(const ModelSpec& spec, int64_t index, Shelf& shelf) {
  const std::string prefix = concat("blocks.", index, ".");
  const BlockSpec kinds = spec.block(index);
  Block block;
  block.norm1 = shelf.norm(prefix + "norm1");
  if (splits_query(spec, index)) {
    const bool shift = kinds.qkv == LayerKind::kShift;
    const Latent latent = shelf.latent(prefix + "attn.qkv", shift);
    block.query = shelf.pack(latent.rows(0, spec.width), shift);
    block.qkv.experts[0] = shelf.pack(latent.rows(spec.width, 3 * spec.width), shift);
  } else {
    block.qkv = shelf.linears(prefix + "attn.qkv", kinds.qkv);
  }
  if (kinds.is_linear()) block.local = shelf.take_copy(prefix + "attn.token_conv.weight");
  block.proj = shelf.linears(prefix + "attn.proj", kinds.proj);
  block.norm2 = shelf.norm(prefix + "norm2");
  block.mlp = shelf.mixture(prefix + "mlp", kinds.mlp, [&](const std::string& name, bool shift) {
    return shelf.mlp(name, shift);
  });
  return block;
}

}  // namespace

bool answers_class_token(const ModelSpec& spec, int64_t index) {
  return index + 1 == spec.depth && spec.block(index).mlp != LayerKind::kMixture;
}

bool splits_query(const ModelSpec& spec, int64_t index) {
  const BlockSpec block = spec.block(index);
  return answers_class_token(spec, index) && block.qkv != LayerKind::kMixture &&
         !needs_all_queries(spec, block);
}

VitWeights::VitWeights(const ModelSpec& spec, std::vector<std::pair<std::string, Tensor>> named) {
  validate(spec);
  require_deployable(spec);
  Shelf shelf(spec, std::move(named));
  floats = shelf.floats();
  positions = shelf.take_copy("pos_embed").reshape({spec.tokens(), spec.width});
  class_row = shelf.take_copy("cls_token").reshape({spec.width});
  for (int64_t i = 0; i < spec.width; ++i) class_row.data<float>()[i] += positions.data<float>()[i];
  patch_embed = shelf.linear("patch_embed.proj");
  for (int64_t index = 0; index < spec.depth; ++index)
    blocks.push_back(take_block(spec, index, shelf));
  norm = shelf.norm("norm");
  head = shelf.linear("head");
}

}  // namespace shiftadd::infer
