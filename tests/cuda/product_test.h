// Operands of products as the CPU and as the device has them.
#pragma once

#include <algorithm>
#include <cstring>

#include "core/int8_matrix.h"
#include "core/kernels.h"
#include "core/kernels/int8.h"
#include "core/random.h"
#include "core/shift.h"
#include "cuda/fragments.h"
#include "cuda/product.h"
#include "tests/cuda/executor.h"

namespace shiftadd::test {

inline std::vector<float> random_floats(int64_t count, uint64_t stream) {
  Random random(17, stream);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& x : values) x = static_cast<float>(random.normal());
  return values;
}
inline Tensor tensor_of(const std::vector<float>& values, Shape shape) {
  Tensor tensor(shape);
  std::copy(values.begin(), values.end(), tensor.data<float>());
  return tensor;
}

/// A weight (outputs, inputs) of one kind, as the CPU and as the device has it.
struct Weight {
  Weight(int64_t of_outputs, int64_t of_inputs, cuda::WeightKind of_kind, uint64_t stream)
      : outputs(of_outputs), inputs(of_inputs), kind(of_kind) {
    const Tensor floats = tensor_of(random_floats(outputs * inputs, stream), {outputs, inputs});
    bias = random_floats(outputs, stream + 1000);
    std::vector<uint32_t> words;
    if (kind == cuda::WeightKind::kNibbles) {
      const ShiftRows rows = shift_rows(floats);
      cpu = DotMatrix(rows);
      words = cuda::nibble_fragments(rows.nibbles.data<uint8_t>(), outputs, inputs);
      const auto stored = rows.nibbles.span<uint8_t>();
      device_nibbles = DeviceArray<uint8_t>(std::vector<uint8_t>(stored.begin(), stored.end()));
    } else if (kind == cuda::WeightKind::kInt8) {
      const Int8Rows rows = int8_rows(floats);
      cpu = DotMatrix(rows);
      words = cuda::int8_fragments(rows.weight.data<int8_t>(), outputs, inputs);
    } else {
      values = floats;
      if (kind == cuda::WeightKind::kBf16)
        words = cuda::bf16_fragments(floats.data<float>(), outputs, inputs);
    }
    if (cpu.row_scales.defined()) {
      const auto span = cpu.row_scales.span<float>();
      row_scales = {span.begin(), span.end()};
      device_scales = DeviceArray<float>(row_scales);
    }
    device_words = DeviceArray<uint32_t>(words);
    if (kind == cuda::WeightKind::kFloat32) {
      const auto span = values.span<float>();
      device_floats = DeviceArray<float>(std::vector<float>(span.begin(), span.end()));
    }
    device_bias = DeviceArray<float>(bias);
  }
  cuda::WeightAt at() const {
    const void* data = kind == cuda::WeightKind::kFloat32
                           ? static_cast<const void*>(device_floats.get())
                           : device_words.get();
    return {data,
            row_scales.empty() ? nullptr : device_scales.get(),
            device_bias.get(),
            static_cast<int32_t>(outputs),
            static_cast<int32_t>(inputs),
            kind};
  }

  int64_t outputs, inputs;
  cuda::WeightKind kind;
  Tensor values;  // of bf16 and float32
  DotMatrix cpu;  // of integers
  std::vector<float> bias, row_scales;
  DeviceArray<uint32_t> device_words;
  DeviceArray<uint8_t> device_nibbles;  // as a model file stores them
  DeviceArray<float> device_floats, device_scales, device_bias;
};

/// Tokens as int8 numbers, as the CPU and as the device has them.
struct Tokens {
  Tokens(const std::vector<float>& x, int64_t rows, int64_t width)
      : values(static_cast<std::size_t>(rows * width)), scales(static_cast<std::size_t>(rows)) {
    cpu_kernels().quantize_tokens(
        {rows, width, x.data(), scales.data(), nullptr, nullptr, values.data()});
    stride = static_cast<int32_t>(cuda::steps_of(width, 1) * cuda::kStepBytes);
    std::vector<int8_t> padded(static_cast<std::size_t>(rows * stride));
    for (int64_t r = 0; r < rows; ++r)
      std::copy_n(values.begin() + r * width, width, padded.begin() + r * stride);
    device_values = DeviceArray<int8_t>(padded);
    device_scales = DeviceArray<float>(scales);
  }
  cuda::QuantizedIn at(int64_t rows) const {
    return {device_values.get(),
            device_scales.get(),
            {static_cast<int32_t>(rows), static_cast<int32_t>(rows), 0},
            stride};
  }

  std::vector<int8_t> values;
  std::vector<float> scales;
  int32_t stride;
  DeviceArray<int8_t> device_values;
  DeviceArray<float> device_scales;
};

template <class T>
cuda::RowsAt<T> rows_at(T* data, int64_t rows, int64_t width) {
  return {data,
          {static_cast<int32_t>(rows), static_cast<int32_t>(rows), 0},
          static_cast<int32_t>(width)};
}

inline std::vector<float> cpu_product(const Weight& weight, const Tokens& tokens, int64_t rows,
                                      Activation activation, const float* residual) {
  std::vector<float> y(static_cast<std::size_t>(rows * weight.outputs));
  cpu_kernels().int8_gemm({.tokens = rows,
                           .outputs = weight.outputs,
                           .inputs = weight.inputs,
                           .x = tokens.values.data(),
                           .scales = tokens.scales.data(),
                           .panels = weight.cpu.panels.data<uint8_t>(),
                           .row_scales = weight.cpu.row_scales.data<float>(),
                           .bias = weight.bias.data(),
                           .activation = activation,
                           .residual = residual,
                           .y = y.data()});
  return y;
}

inline unsigned blocks(int64_t of, int64_t each) {
  return static_cast<unsigned>((of + each - 1) / each);
}

inline bool same(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// Rows 0, 3, 6 .. go to the second expert, in an order of no meaning.
struct Split {
  explicit Split(int64_t rows) : order(static_cast<std::size_t>(rows)), counts(2) {
    for (int64_t row = rows - 1; row >= 0; --row) {
      const auto place = has(1, row) ? rows - 1 - counts[1]++ : counts[0]++;
      order[static_cast<std::size_t>(place)] = static_cast<int32_t>(row);
    }
    device_order = DeviceArray<int32_t>(order);
    device_counts = DeviceArray<int32_t>(counts);
  }
  bool has(int expert, int64_t row) const { return (row % 3 == 0) == (expert == 1); }
  cuda::ExpertRows at() const {
    return {device_order.get(), device_counts.get(), static_cast<int32_t>(order.size())};
  }

  std::vector<int32_t> order, counts;
  DeviceArray<int32_t> device_order, device_counts;
};

}  // namespace shiftadd::test
