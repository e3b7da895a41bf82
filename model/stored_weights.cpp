// Checks the tensors of a packed model against its network, and hands them out.
#include "model/stored_weights.h"

#include <utility>

#include "core/error.h"

namespace shiftadd {

StoredWeights::StoredWeights(const Network& network, const PackSpec& pack, NamedTensors tensors) {
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

Tensor StoredWeights::get(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? Tensor() : found->second;
}

Tensor StoredWeights::rows(const Matrix& matrix, const char* part) const {
  const Tensor tensor = get(matrix.layer + part);
  return tensor.defined() ? tensor.slice(matrix.first, matrix.first + matrix.out) : tensor;
}

Tensor StoredWeights::values(const Table& table) const {
  const Tensor values = copy(table.parameter).reshape({table.rows, table.columns});
  if (table.plus.empty()) return values;
  const float* more = get(table.plus).data<float>() + table.plus_first * table.columns;
  for (float& x : values.span<float>()) x += *more++;
  return values;
}

void StoredWeights::release(const std::string& layer) {
  for (const char* part : {".weight", ".codes", ".exponents", ".scales", ".bias"})
    tensors_.erase(layer + part);
}

}  // namespace shiftadd
