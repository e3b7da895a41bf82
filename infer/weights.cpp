// Takes the tensors of a packed model by name, checks their shapes, and lays them out for kernels.
#include "infer/weights.h"

#include <map>
#include <string>
#include <utility>

namespace shiftadd::infer {
namespace {

// Hands out the tensors of a packed model, checked against the network.
class Shelf {
 public:
  Shelf(const Network& network, const PackSpec& pack, NamedTensors tensors) {
    for (auto& [name, tensor] : tensors) tensors_.emplace(std::move(name), std::move(tensor));
    tensors.clear();  // so that a tensor taken here is the last of its kind
    for (const StoredTensor& expected :
         stored_tensors(parameters_of(network), network.options, pack)) {
      const auto found = tensors_.find(expected.name);
      if (found == tensors_.end())
        throw user_error("[infer] the weight ", expected.name, " is missing: expected shape ",
                         expected.shape);
      if (found->second.shape() != expected.shape || found->second.dtype() != expected.dtype)
        throw user_error("[infer] ", expected.name, " is ", found->second.dtype(),
                         found->second.shape(), ": expected ", expected.dtype, expected.shape);
    }
  }

  Tensor get(const std::string& name) const {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? Tensor() : found->second;
  }
  // Copies are what lets a file's map go.
  Tensor copy(const std::string& name) const { return get(name).clone(); }
  void release(const std::string& layer) {
    for (const char* part : {".weight", ".codes", ".exponents", ".scales", ".bias"})
      tensors_.erase(layer + part);
  }

 private:
  std::map<std::string, Tensor> tensors_;
};

// A layer is stored as nibbles and exponents, int8 and scales, or floats of any kind.
Linear lay_out(const Matrix& matrix, const Shelf& shelf) {
  const auto rows = [&](const char* part) {
    const Tensor tensor = shelf.get(matrix.layer + part);
    return tensor.defined() ? tensor.slice(matrix.first, matrix.first + matrix.out) : tensor;
  };
  Linear linear;
  const Tensor bias = rows(".bias");
  linear.bias = bias.defined() ? bias.clone() : Tensor::zeros({matrix.out});
  linear.int8_input = matrix.int8_inputs;
  const Tensor nibbles = rows(".codes"), scales = rows(".scales");
  if (nibbles.defined()) {
    linear.integers = DotMatrix(ShiftRows{matrix.out, matrix.in, nibbles, rows(".exponents")});
  } else if (scales.defined()) {
    linear.integers = DotMatrix(Int8Rows{rows(".weight"), scales});
  } else {
    const Tensor weight = rows(".weight");
    linear.weight =
        PackedMatrix(weight.to(DType::kF32).data<float>(), matrix.out, matrix.in, 0, isa(),
                     matrix.arithmetic == Arithmetic::kBf16 ? bf16_unit() : Bf16Unit::kNone);
  }
  return linear;
}

// The parameter as rows x columns, with rows of another added to it.
Tensor values_of(const Table& table, const Shelf& shelf) {
  const Tensor values = shelf.copy(table.parameter).reshape({table.rows, table.columns});
  if (table.plus.empty()) return values;
  const float* more = shelf.get(table.plus).data<float>() + table.plus_first * table.columns;
  for (float& x : values.span<float>()) x += *more++;
  return values;
}

}  // namespace

Weights::Weights(const Network& network, const PackSpec& pack, const Plan& plan,
                 NamedTensors given) {
  Shelf shelf(network, pack, std::move(given));
  for (const Table& table : plan.tables) tables.push_back(values_of(table, shelf));
  for (const NormSpec& norm : plan.norms)
    norms.push_back({shelf.copy(norm.name + ".weight"), shelf.copy(norm.name + ".bias"), norm.eps});
  std::map<std::string, int> uses;  // of a layer: a split one's rows lie in several matrices
  for (const Matrix& matrix : plan.matrices) ++uses[matrix.layer];
  for (const Matrix& matrix : plan.matrices) {
    matrices.push_back(lay_out(matrix, shelf));
    if (--uses[matrix.layer] == 0) shelf.release(matrix.layer);
  }
}

}  // namespace shiftadd::infer
