// Quantises the input of a linear layer where it must be, and calls the float or the int8 product.
#include "infer/linear.h"

namespace shiftadd::infer {

void apply(const Linear& linear, const float* x, int64_t rows, float* y,
           const LinearScratch& scratch, const Epilogue& epilogue) {
  const int64_t inputs = linear.inputs(), outputs = linear.outputs();
  const QuantizedRows& quantized = scratch.quantized;
  if (linear.in_integers()) {
    kernels<float>().quantize_tokens(
        {rows, inputs, x, quantized.scales, nullptr, nullptr, quantized.values});
    return apply_quantized(linear, quantized, nullptr, rows, y, epilogue);
  }
  if (linear.int8_input) {  // whole numbers in, their scale in the product's epilogue
    kernels<float>().quantize_tokens(
        {rows, inputs, x, quantized.scales, scratch.rounded, nullptr, nullptr});
    x = scratch.rounded;
  }
  gemm_packed(x, inputs, rows, linear.weight, y, outputs, linear.bias.data<float>(),
              epilogue.activation, epilogue.residual, outputs,
              linear.int8_input ? quantized.scales : nullptr);
}

void apply_quantized(const Linear& linear, const QuantizedRows& tokens, const int32_t* order,
                     int64_t rows, float* y, const Epilogue& epilogue) {
  kernels<float>().int8_gemm({.tokens = rows,
                              .outputs = linear.outputs(),
                              .inputs = linear.inputs(),
                              .x = tokens.values,
                              .scales = tokens.scales,
                              .panels = linear.integers.panels.data<uint8_t>(),
                              .row_scales = linear.integers.row_scales.data<float>(),
                              .rows = order,
                              .bias = linear.bias.data<float>(),
                              .activation = epilogue.activation,
                              .residual = epilogue.residual,
                              .y = y});
}

}  // namespace shiftadd::infer
