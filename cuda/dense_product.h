// Dense products of a device's library, the peers of our kernels (shiftadd_dense_shape): which
// there are, how a library that counts columns first is asked for them, and the same on the host.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>

#include "cuda/device_api.h"

namespace shiftadd::cuda {

/// Why no device has a product of that shape; empty: it may have.
std::string missing_dense_product(const shiftadd_dense_shape& shape);

/// Bytes of the operands and of the result, of all products.
struct DenseBytes {
  uint64_t a, b, c;
};
DenseBytes dense_bytes(const shiftadd_dense_shape& shape);

/// For maps and sets.
using DenseKey = std::tuple<uint32_t, int64_t, int64_t, int64_t, int64_t>;
inline DenseKey dense_key(const shiftadd_dense_shape& shape) {
  return {shape.kind, shape.products, shape.rows, shape.outputs, shape.inputs};
}

/// A matrix that lies column by column.
struct ColumnMatrix {
  int64_t rows, columns, step;                        // step: from a column to the next
  int64_t numbers() const { return columns * step; }  // to the next product's
};
/// The product as D = op(first) second with matrices column by column: a matrix row by row is its
/// transposed one column by column, so D, c transposed, is b times a transposed, and b is the
/// operand to be transposed.
struct ColumnProduct {
  ColumnMatrix first;   // b; transposed by the product
  ColumnMatrix second;  // a; as it is
  ColumnMatrix result;  // c
};
ColumnProduct column_product(const shiftadd_dense_shape& shape);

/// Plain loops, for the host executor. Floats are summed in double precision, with every bit.
void multiply_dense(const shiftadd_dense_shape& shape, const void* a, const void* b, void* c);

}  // namespace shiftadd::cuda
