// See weights.h.
#include "infer/weights.h"

#include <algorithm>
#include <map>

namespace shiftadd::infer {
namespace {

// Hands out weights by name, once each, checked against the architecture.
class Shelf {
 public:
  Shelf(const ModelSpec& spec, std::vector<std::pair<std::string, Tensor>> named) {
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
  Linear linear(const std::string& name) {
    return {pack(take(name + ".weight")), take_copy(name + ".bias")};
  }
  static PackedMatrix pack(const Tensor& weight) {  // (outputs, inputs...)
    const int64_t outputs = weight.dim(0);
    return PackedMatrix(weight.data<float>(), outputs, weight.numel() / outputs);
  }
  int64_t floats() const { return floats_; }

 private:
  std::map<std::string, Tensor> tensors_;
  int64_t floats_ = 0;
};

}  // namespace

VitWeights::VitWeights(const ModelSpec& spec, std::vector<std::pair<std::string, Tensor>> named) {
  validate(spec);
  Shelf shelf(spec, std::move(named));
  floats = shelf.floats();
  positions = shelf.take_copy("pos_embed").reshape({spec.tokens(), spec.width});
  class_row = shelf.take_copy("cls_token").reshape({spec.width});
  for (int64_t i = 0; i < spec.width; ++i) class_row.data<float>()[i] += positions.data<float>()[i];
  patch_embed = shelf.linear("patch_embed.proj");
  for (int64_t index = 0; index < spec.depth; ++index) {
    const std::string prefix = concat("blocks.", index, ".");
    Block& block = blocks.emplace_back();
    block.norm1 = shelf.norm(prefix + "norm1");
    if (index + 1 < spec.depth) {
      block.qkv = shelf.linear(prefix + "attn.qkv");
    } else {
      const Tensor weight = shelf.take(prefix + "attn.qkv.weight");
      const Tensor bias = shelf.take_copy(prefix + "attn.qkv.bias");
      last_query = {Shelf::pack(weight.slice(0, spec.width)), bias.slice(0, spec.width)};
      block.qkv = {Shelf::pack(weight.slice(spec.width, 3 * spec.width)),
                   bias.slice(spec.width, 3 * spec.width)};
    }
    block.proj = shelf.linear(prefix + "attn.proj");
    block.norm2 = shelf.norm(prefix + "norm2");
    block.fc1 = shelf.linear(prefix + "mlp.fc1");
    block.fc2 = shelf.linear(prefix + "mlp.fc2");
  }
  norm = shelf.norm("norm");
  head = shelf.linear("head");
}

}  // namespace shiftadd::infer
