// Lays out the tensors of a packed model for the CPU's kernels.
#include "infer/weights.h"

#include <map>
#include <string>
#include <utility>

#include "model/stored_weights.h"

namespace shiftadd::infer {
namespace {

// A layer is stored as nibbles and exponents, int8 and scales, or floats of any kind.
Linear lay_out(const Matrix& matrix, const StoredWeights& stored) {
  const auto rows = [&](const char* part) { return stored.rows(matrix, part); };
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

}  // namespace

Weights::Weights(const Network& network, const PackSpec& pack, const Plan& plan,
                 NamedTensors given) {
  StoredWeights stored(network, pack, std::move(given));
  for (const Table& table : plan.tables) tables.push_back(stored.values(table));
  for (const NormSpec& norm : plan.norms)
    norms.push_back(
        {stored.copy(norm.name + ".weight"), stored.copy(norm.name + ".bias"), norm.eps});
  std::map<std::string, int> uses;  // of a layer: a split one's rows lie in several matrices
  for (const Matrix& matrix : plan.matrices) ++uses[matrix.layer];
  for (const Matrix& matrix : plan.matrices) {
    matrices.push_back(lay_out(matrix, stored));
    if (--uses[matrix.layer] == 0) stored.release(matrix.layer);
  }
}

}  // namespace shiftadd::infer
