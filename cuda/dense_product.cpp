// See dense_product.h.
#include "cuda/dense_product.h"

#include <bit>
#include <limits>

namespace shiftadd::cuda {
namespace {

constexpr int64_t kMostSide = std::numeric_limits<int32_t>::max();
// What tensor cores take of int8 numbers by cuBLASLt.
constexpr int64_t kInt8Step = 4;

double as_double(float x) { return x; }
// bf16.
double as_double(uint16_t x) { return std::bit_cast<float>(static_cast<uint32_t>(x) << 16); }

template <class In, class Out, class Term>
void multiply(const shiftadd_dense_shape& shape, const void* a, const void* b, void* c, Term term) {
  const auto *left = static_cast<const In*>(a), *right = static_cast<const In*>(b);
  auto* out = static_cast<Out*>(c);
  for (int64_t product = 0; product < shape.products; ++product) {
    for (int64_t i = 0; i < shape.rows; ++i)
      for (int64_t j = 0; j < shape.outputs; ++j) {
        decltype(term(left[0], right[0])) sum = 0;
        for (int64_t k = 0; k < shape.inputs; ++k)
          sum += term(left[i * shape.inputs + k], right[j * shape.inputs + k]);
        out[i * shape.outputs + j] = static_cast<Out>(sum);
      }
    left += shape.rows * shape.inputs;
    right += shape.outputs * shape.inputs;
    out += shape.rows * shape.outputs;
  }
}

}  // namespace

std::string missing_dense_product(const shiftadd_dense_shape& shape) {
  if (shape.kind > SHIFTADD_DENSE_TF32)
    return "there is no dense product of kind " + std::to_string(shape.kind);
  for (const int64_t side : {shape.rows, shape.outputs, shape.inputs})
    if (side < 1 || side > kMostSide)
      return "a dense product has sides of 1 to " + std::to_string(kMostSide) + ", not " +
             std::to_string(side);
  if (shape.products < 1 || shape.products > kMostSide)
    return "there are 1 to " + std::to_string(kMostSide) + " dense products at once, not " +
           std::to_string(shape.products);
  if (shape.kind == SHIFTADD_DENSE_INT8 &&
      (shape.outputs % kInt8Step != 0 || shape.inputs % kInt8Step != 0))
    return "a dense product of int8 numbers has multiples of 4 outputs and inputs, not " +
           std::to_string(shape.outputs) + " and " + std::to_string(shape.inputs);
  return "";
}

DenseBytes dense_bytes(const shiftadd_dense_shape& shape) {
  const int64_t of_number = shape.kind == SHIFTADD_DENSE_BF16   ? 2
                            : shape.kind == SHIFTADD_DENSE_INT8 ? 1
                                                                : 4;
  constexpr int64_t kOfResult = 4;
  return {static_cast<uint64_t>(shape.products * shape.rows * shape.inputs * of_number),
          static_cast<uint64_t>(shape.products * shape.outputs * shape.inputs * of_number),
          static_cast<uint64_t>(shape.products * shape.rows * shape.outputs * kOfResult)};
}

ColumnProduct column_product(const shiftadd_dense_shape& shape) {
  return {{shape.inputs, shape.outputs, shape.inputs},
          {shape.inputs, shape.rows, shape.inputs},
          {shape.outputs, shape.rows, shape.outputs}};
}

void multiply_dense(const shiftadd_dense_shape& shape, const void* a, const void* b, void* c) {
  const auto real = [](auto x, auto y) { return as_double(x) * as_double(y); };
  if (shape.kind == SHIFTADD_DENSE_BF16)
    multiply<uint16_t, float>(shape, a, b, c, real);
  else if (shape.kind == SHIFTADD_DENSE_TF32)
    multiply<float, float>(shape, a, b, c, real);
  else
    multiply<int8_t, int32_t>(shape, a, b, c, [](int8_t x, int8_t y) { return int32_t{x} * y; });
}

}  // namespace shiftadd::cuda
