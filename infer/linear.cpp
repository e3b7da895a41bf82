// See linear.h.
#include "infer/linear.h"

namespace shiftadd::infer {
namespace {

void multiply_integers(const Linear& linear, const float* x, int64_t rows, float* y,
                       const QuantizedRoom& room, const Epilogue& epilogue) {
  const auto& kernel = kernels<float>();
  kernel.quantize_tokens({rows, linear.inputs(), x, room.scales, nullptr, nullptr, room.codes});
  kernel.int8_gemm({.tokens = rows,
                    .outputs = linear.outputs(),
                    .inputs = linear.inputs(),
                    .x = room.codes,
                    .scales = room.scales,
                    .panels = linear.integers.panels.data<uint8_t>(),
                    .units = linear.integers.units.data<float>(),
                    .bias = linear.bias.data<float>(),
                    .activation = epilogue.activation,
                    .residual = epilogue.residual,
                    .y = y});
}

}  // namespace

void apply(const Linear& linear, float* x, int64_t rows, float* y, const QuantizedRoom& room,
           const Epilogue& epilogue) {
  if (linear.in_integers()) return multiply_integers(linear, x, rows, y, room, epilogue);
  const int64_t inputs = linear.inputs(), outputs = linear.outputs();
  if (linear.int8_input)  // whole numbers in, their scale in the product's epilogue
    kernels<float>().quantize_tokens({rows, inputs, x, room.scales, x, nullptr, nullptr});
  gemm_packed(x, inputs, rows, linear.weight, y, outputs, linear.bias.data<float>(),
              epilogue.activation, epilogue.residual, outputs,
              linear.int8_input ? room.scales : nullptr);
}

}  // namespace shiftadd::infer
