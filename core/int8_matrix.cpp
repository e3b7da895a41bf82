// Turns float weights into 4-bit Shift codes or int8 rows, and lays either out in the panels that
// the int8 product reads.
#include "core/int8_matrix.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.h"
#include "core/kernels.h"

namespace shiftadd {
namespace {

DotMatrix empty_matrix(int64_t outputs, int64_t inputs) {
  if (inputs > kMostDotInputs)
    throw user_error("[int8] a layer of ", inputs,
                     " inputs: sums of int8 products are exact up to ", kMostDotInputs,
                     "; keep it in float32 or bf16");
  DotMatrix matrix;
  matrix.outputs = outputs;
  matrix.inputs = inputs;
  matrix.panels = Tensor({dot_bytes(outputs, inputs)}, DType::kU8);
  matrix.row_scales = Tensor({outputs});
  return matrix;
}

}  // namespace

ShiftRows shift_rows(const Tensor& weight) {
  const ShiftIntegers integers = shift_integers(weight);
  ShiftRows rows = {integers.outputs, integers.inputs,
                    Tensor::zeros({integers.outputs, nibble_stride(integers.inputs)}, DType::kU8),
                    Tensor({integers.outputs}, DType::kI16)};
  for (int64_t r = 0; r < rows.outputs; ++r) {
    uint8_t* bytes = rows.nibbles.data<uint8_t>() + r * nibble_stride(rows.inputs);
    for (int64_t j = 0; j < rows.inputs; ++j)
      bytes[j / 2] |=
          static_cast<uint8_t>(nibble_of(integers.values[r * rows.inputs + j]) << (j % 2 ? 4 : 0));
    rows.exponents.data<int16_t>()[r] = static_cast<int16_t>(integers.exponents[r]);
  }
  return rows;
}

Int8Rows int8_rows(const Tensor& weight) {
  check_weight("int8_rows", weight);
  const int64_t outputs = weight.dim(0), inputs = weight.dim(1);
  Int8Rows rows = {Tensor(weight.shape(), DType::kI8), Tensor({outputs})};
  cpu_kernels().quantize_tokens({outputs, inputs, weight.data<float>(), rows.scales.data<float>(),
                                 nullptr, nullptr, rows.weight.data<int8_t>()});
  return rows;
}

DotMatrix::DotMatrix(const ShiftRows& rows) : DotMatrix(empty_matrix(rows.outputs, rows.inputs)) {
  cpu_kernels().expand_nibbles(
      {outputs, inputs, rows.nibbles.data<uint8_t>(), panels.data<uint8_t>()});
  for (int64_t r = 0; r < outputs; ++r)
    row_scales.data<float>()[r] = std::ldexp(1.0f, rows.exponents.data<int16_t>()[r] - kShiftRange);
}

DotMatrix::DotMatrix(const Int8Rows& rows)
    : DotMatrix(empty_matrix(rows.weight.dim(0), rows.weight.dim(1))) {
  std::copy_n(rows.scales.data<float>(), outputs, row_scales.data<float>());
  uint8_t* bytes = panels.data<uint8_t>();
  std::fill_n(bytes, panels.numel(), uint8_t{kDotOffset});
  const int64_t groups = dot_groups(inputs);
  for (int64_t r = 0; r < outputs; ++r) {
    const int8_t* row = rows.weight.data<int8_t>() + r * inputs;
    uint8_t* panel = bytes + r / kDotPanel * groups * kDotPanel * kDotGroup + r % kDotPanel * 4;
    for (int64_t j = 0; j < inputs; ++j)  // four inputs of 16 outputs are 64 bytes
      panel[j / 4 * 4 * kDotPanel + j % 4] = static_cast<uint8_t>(row[j] + kDotOffset);
  }
}

}  // namespace shiftadd
