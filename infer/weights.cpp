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
    for (const Parameter& each : parameters_of(model.spec))
      if (each.shape.size() > 1) inputs_[each.layer] = element_count(each.shape) / each.shape[0];
  }

  Tensor take(const std::string& name) {
    auto node = tensors_.extract(name);
    return node ? node.mapped() : Tensor();
  }
  Tensor take_copy(const std::string& name) {
    return take(name).clone();
  }  // lets the file's map go

  Norm norm(const NormSpec& norm) {
    return {take_copy(norm.name + ".weight"), take_copy(norm.name + ".bias")};
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

  /// Calls take_layer(name, shift) for the layer itself, or for both experts behind their router.
  template <class TakeLayer>
  auto mixture(const std::string& name, LayerKind kind, TakeLayer take_layer) {
    Mixture<decltype(take_layer(name, false))> result;
    result.routed = kind == LayerKind::kMixture;
    if (result.routed) {
      if (options_.gate != GateKind::kFixedSplit) result.router = linear(name_of_router(name));
      for (const int i : {kMultExpert, kShiftExpert})
        result.experts[i] = take_layer(name_of_expert(name, i), i == kShiftExpert);
    } else {
      result.experts[0] = take_layer(name, kind == LayerKind::kShift);
    }
    return result;
  }
  Mixture<Linear> linears(const LinearSpec& spec) {
    return mixture(spec.name, spec.kind,
                   [&](const std::string& each, bool shift) { return linear(each, shift); });
  }
  Mixture<Mlp> mlps(const MlpSpec& spec) {
    return mixture(spec.name, spec.kind, [&](const std::string& each, bool shift) {
      return Mlp{linear(concat(each, ".", spec.fc1.name), shift),
                 linear(concat(each, ".", spec.fc2.name), shift)};
    });
  }

 private:
  ShiftAddSpec options_;
  std::map<std::string, Tensor> tensors_;
  std::map<std::string, int64_t> inputs_;  // of a layer, by its name
};

Block take_block(const BlockSpec& spec, bool splits, Shelf& shelf) {
  const AttentionSpec& attention = spec.attention;
  Block block;
  block.norm1 = shelf.norm(spec.norm1);
  if (splits) {
    const bool shift = attention.qkv.kind == LayerKind::kShift;
    const Stored qkv = shelf.stored(attention.qkv.name);
    block.query = shelf.linear(qkv.rows(0, spec.width), shift);
    block.qkv.experts[0] = shelf.linear(qkv.rows(spec.width, attention.qkv.out), shift);
  } else {
    block.qkv = shelf.linears(attention.qkv);
  }
  if (attention.local) block.local = shelf.take_copy(attention.local->name + ".weight");
  block.proj = shelf.linears(attention.proj);
  block.norm2 = shelf.norm(spec.norm2);
  block.mlp = shelf.mlps(spec.mlp);
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
  const Network network = network_of(spec);
  const LevelSpec& level = network.levels.front();
  positions = shelf.take_copy(level.positions).reshape({level.tokens(), spec.width});
  class_row = shelf.take_copy(level.class_token).reshape({spec.width});
  for (int64_t i = 0; i < spec.width; ++i) class_row.data<float>()[i] += positions.data<float>()[i];
  patch_embed = shelf.linear(level.patches.name);
  for (int64_t index = 0; index < spec.depth; ++index)
    blocks.push_back(take_block(block_at(network, index), splits_query(spec, index), shelf));
  norm = shelf.norm(network.norm);
  head = shelf.linear(network.head.name);
}

}  // namespace shiftadd::infer
