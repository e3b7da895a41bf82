// See linear.h.
#include "infer/linear.h"

namespace shiftadd::infer {
namespace {

void shift_and_add(const Linear& linear, const float* x, int64_t rows, float* y,
                   const QuantizedRoom& room, const Epilogue& epilogue) {
  const auto& kernel = kernels<float>();
  const int64_t inputs = linear.inputs(), outputs = linear.outputs();
  kernel.quantize_tokens({rows, inputs, x, room.scales, nullptr, nullptr, room.codes});
  kernel.shift_gemm({.tokens = rows,
                     .outputs = outputs,
                     .inputs = inputs,
                     .x = room.codes,
                     .scales = room.scales,
                     .codes = linear.shift.codes.data<uint8_t>(),
                     .exponents = linear.shift.exponents.data<int32_t>(),
                     .bias = linear.bias.data<float>(),
                     .residual = epilogue.residual,
                     .y = y});
  if (epilogue.activation == Activation::kGelu) kernel.gelu({rows * outputs, y, y});
}

}  // namespace

void apply(const Linear& linear, float* x, int64_t rows, float* y, const QuantizedRoom& room,
           const Epilogue& epilogue) {
  if (linear.in_integers()) return shift_and_add(linear, x, rows, y, room, epilogue);
  const int64_t inputs = linear.inputs(), outputs = linear.outputs();
  if (linear.int8_input)  // whole numbers in, their scale in the product's epilogue
    kernels<float>().quantize_tokens({rows, inputs, x, room.scales, x, nullptr, nullptr});
  gemm_packed(x, inputs, rows, linear.weight, y, outputs, linear.bias.data<float>(),
              epilogue.activation, epilogue.residual, outputs,
              linear.int8_input ? room.scales : nullptr);
}

}  // namespace shiftadd::infer
