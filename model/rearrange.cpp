// Stacks, transposes, squeezes and cuts tensors, bytes as they were.
#include "model/rearrange.h"

#include <algorithm>
#include <cstring>

namespace shiftadd {
namespace {

std::size_t first_given(const NameUse& use) {
  return static_cast<std::size_t>(
      std::find_if(use.from.begin(), use.from.end(),
                   [](const std::string& name) { return !name.empty(); }) -
      use.from.begin());
}

Shape stacked_shape(const NameUse& use, const std::vector<Shape>& from) {
  const std::size_t first = first_given(use);
  Shape shape = from[first];
  if (from.size() == 1) return shape;
  for (std::size_t i = 0; i < from.size(); ++i)
    if (!use.from[i].empty() && (from[i] != shape || shape.empty()))
      throw user_error(use.from[i], " has shape ", from[i], ", ", use.from[first], " ", shape,
                       ": expected the same, and a first dimension to stack them along");
  shape[0] *= static_cast<int64_t>(from.size());
  return shape;
}

Tensor stacked(const NameUse& use, const std::vector<Tensor>& from, const Shape& shape) {
  const Tensor& first = from[first_given(use)];
  if (from.size() == 1) return first;
  Tensor result(shape, first.dtype());
  auto* at = static_cast<uint8_t*>(result.raw());
  for (std::size_t i = 0; i < from.size(); ++i, at += first.bytes()) {
    if (use.from[i].empty()) {
      std::memset(at, 0, first.bytes());
      continue;
    }
    if (from[i].dtype() != first.dtype())
      throw user_error(use.from[i], " has dtype ", from[i].dtype(), ", the others beside it ",
                       first.dtype(), ": expected the same");
    std::memcpy(at, from[i].raw(), first.bytes());
  }
  return result;
}

Tensor transposed(const Tensor& matrix) {
  const int64_t rows = matrix.dim(0), columns = matrix.dim(1);
  Tensor result({columns, rows}, matrix.dtype());
  const std::size_t size = size_of(matrix.dtype());
  const auto* from = static_cast<const uint8_t*>(matrix.raw());
  auto* to = static_cast<uint8_t*>(result.raw());
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < columns; ++column)
      std::memcpy(to + static_cast<std::size_t>(column * rows + row) * size,
                  from + static_cast<std::size_t>(row * columns + column) * size, size);
  return result;
}

bool is_zero(const Tensor& tensor) {
  const auto* bytes = static_cast<const uint8_t*>(tensor.raw());
  return std::all_of(bytes, bytes + tensor.bytes(), [](uint8_t byte) { return byte == 0; });
}

// The shape behind everything but the cut.
Shape whole_shape(const NameUse& use, Shape shape) {
  if (use.transposes) {
    if (shape.size() != 2)
      throw user_error(use.from_text(), " has shape ", shape, ": expected a matrix to transpose");
    std::swap(shape[0], shape[1]);
  }
  if (use.squeezes) std::erase(shape, 1);
  const auto parts = static_cast<int64_t>(use.to.size());
  if (parts > 1 && (shape.empty() || shape[0] % parts))
    throw user_error(use.from_text(), " has shape ", shape, ": expected a first dimension that ",
                     parts, " tensors share evenly");
  return shape;
}

}  // namespace

std::vector<Shape> rearranged_shapes(const NameUse& use, const std::vector<Shape>& from) {
  Shape shape = whole_shape(use, stacked_shape(use, from));
  if (use.to.size() > 1) shape[0] /= static_cast<int64_t>(use.to.size());
  return std::vector<Shape>(use.to.size(), shape);
}

std::vector<Tensor> rearranged(const NameUse& use, const std::vector<Tensor>& from) {
  std::vector<Shape> shapes;
  for (const Tensor& each : from) shapes.push_back(each.shape());
  const Shape before = stacked_shape(use, shapes), shape = whole_shape(use, before);
  Tensor whole = stacked(use, from, before);
  if (use.transposes) whole = transposed(whole);
  whole = whole.reshape(shape);
  const std::size_t parts = use.to.size();
  if (parts < 2) return std::vector<Tensor>(parts, whole);
  std::vector<Tensor> cut;
  const int64_t rows = shape[0] / static_cast<int64_t>(parts);
  for (std::size_t i = 0; i < parts; ++i) {
    const auto begin = static_cast<int64_t>(i) * rows;
    cut.push_back(whole.slice(begin, begin + rows));
    if (use.to[i].empty() && !is_zero(cut.back()))
      throw user_error(use.from_text(), ": expected zeros in part ", i + 1, " of ", parts);
  }
  return cut;
}

}  // namespace shiftadd
