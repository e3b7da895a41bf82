// Takes the tensors of a packed model by name, checks their shapes, and lays them out for kernels.
#include "infer/weights.h"

#include <algorithm>
#include <map>

#include "infer/attention.h"

namespace shiftadd::infer {
namespace {

// A linear layer is stored as nibbles and exponents, int8 and scales, or floats of any kind.
struct Stored {
  Tensor weight, codes, exponents, scales, bias;
  int64_t inputs = 0;

  Stored rows(int64_t begin, int64_t end) const {
    const auto cut = [&](const Tensor& t) { return t.defined() ? t.slice(begin, end) : Tensor(); };
    return {cut(weight), cut(codes), cut(exponents), cut(scales), cut(bias).clone(), inputs};
  }
};

// Hands out weights by name, once each, checked against the architecture.
class Shelf {
 public:
  explicit Shelf(ModelFile model) : options_(model.spec.shift_add) {
    for (auto& [name, tensor] : model.weights) tensors_.emplace(std::move(name), std::move(tensor));
    for (const StoredTensor& expected : stored_tensors(model.spec, *model.pack)) {
      const auto found = tensors_.find(expected.name);
      if (found == tensors_.end())
        throw user_error("[infer] the weight ", expected.name, " is missing: expected shape ",
                         expected.shape);
      if (found->second.shape() != expected.shape || found->second.dtype() != expected.dtype)
        throw user_error("[infer] ", expected.name, " is ", found->second.dtype(),
                         found->second.shape(), ": expected ", expected.dtype, expected.shape);
    }
    for (const ParameterInfo& each : parameters_of(model.spec))
      if (each.shape.size() > 1)
        inputs_[each.name.substr(0, each.name.rfind('.'))] =
            element_count(each.shape) / each.shape[0];
  }

  Tensor take(const std::string& name) {
    auto node = tensors_.extract(name);
    return node ? node.mapped() : Tensor();
  }
  Tensor take_copy(const std::string& name) {
    return take(name).clone();
  }  // lets the file's map go

  Norm norm(const std::string& name) {
    return {take_copy(name + ".weight"), take_copy(name + ".bias")};
  }
  Stored stored(const std::string& name) {
    const Tensor bias = take_copy(name + ".bias");
    return {take(name + ".weight"),
            take(name + ".codes"),
            take(name + ".exponents"),
            take(name + ".scales"),
            bias,
            inputs_.at(name)};
  }
  Linear linear(const Stored& stored, bool shift) const {
    Linear linear;
    linear.bias = stored.bias;
    linear.int8_input =
        stored.codes.defined() || stored.scales.defined() || (shift && options_.int8_activations);
    if (stored.codes.defined())
      linear.integers =
          DotMatrix(ShiftRows{stored.codes.dim(0), stored.inputs, stored.codes, stored.exponents});
    else if (stored.scales.defined())
      linear.integers = DotMatrix(Int8Rows{stored.weight, stored.scales});
    else
      linear.weight = PackedMatrix(
          stored.weight.to(DType::kF32).data<float>(), stored.weight.dim(0), stored.inputs, 0,
          isa(), stored.weight.dtype() == DType::kBF16 ? bf16_unit() : Bf16Unit::kNone);
    return linear;
  }
  Linear linear(const std::string& name, bool shift = false) { return linear(stored(name), shift); }
  Mlp mlp(const std::string& name, bool shift) {
    return {linear(name + ".fc1", shift), linear(name + ".fc2", shift)};
  }

  /// Calls take_layer(name, shift) for the layer itself, or for both experts behind their router.
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

 private:
  ShiftAddSpec options_;
  std::map<std::string, Tensor> tensors_;
  std::map<std::string, int64_t> inputs_;  // of a layer, by its name
};

Block take_block(const ModelSpec& spec, int64_t index, Shelf& shelf) {
  const std::string prefix = concat("blocks.", index, ".");
  const BlockKinds kinds = spec.block(index);
  Block block;
  block.norm1 = shelf.norm(prefix + "norm1");
  if (splits_query(spec, index)) {
    const bool shift = kinds.qkv == LayerKind::kShift;
    const Stored qkv = shelf.stored(prefix + "attn.qkv");
    block.query = shelf.linear(qkv.rows(0, spec.width), shift);
    block.qkv.experts[0] = shelf.linear(qkv.rows(spec.width, 3 * spec.width), shift);
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

bool answers_class_token(const ModelSpec& spec, int64_t index, bool with_choices) {
  return index + 1 == spec.depth && !(with_choices && spec.block(index).mlp == LayerKind::kMixture);
}

bool splits_query(const ModelSpec& spec, int64_t index) {
  const BlockKinds block = spec.block(index);
  return answers_class_token(spec, index, true) && block.qkv != LayerKind::kMixture &&
         !needs_all_queries(spec, block);
}

VitWeights::VitWeights(ModelFile model) {
  const ModelSpec spec = model.spec;
  validate(spec);
  require_deployable(spec);
  Shelf shelf(std::move(model));
  floats = count_parameters(spec);
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
