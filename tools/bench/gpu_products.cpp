// The products of DeiT-T's layers: powers of two on tensor cores, the same as literal shifts and
// additions, what multiplies, and cuBLASLt.
#include <utility>

#include "core/error.h"
#include "core/kernels/int8.h"
#include "cuda/fragments.h"
#include "cuda/literal_shift.h"
#include "cuda/product.h"
#include "tools/bench/gpu_operands.h"
#include "tools/bench/gpu_parts.h"
#include "tools/bench/gpu_peers.h"

namespace shiftadd::tools {
namespace {

using namespace cuda;

struct ProductShape {
  const char* layer;
  int64_t rows, inputs, outputs;
};

struct OwnKernel {
  const char* name;
  WeightKind kind;
};
constexpr OwnKernel kOwnKernels[] = {
    {"MatShift: powers of two, tensor cores", WeightKind::kNibbles},
    {"int8, tensor cores", WeightKind::kInt8},
    {"bf16, tensor cores", WeightKind::kBf16},
    {"float32", WeightKind::kFloat32}};
bool reads_floats(WeightKind kind) {
  return kind == WeightKind::kBf16 || kind == WeightKind::kFloat32;
}

// With scales and bias, as networks have them.
GpuLaunch own_launch(Device& device, GpuOperands& operands, const ProductShape& shape,
                     WeightKind kind) {
  ProductArgs args;
  if (reads_floats(kind))
    args.in.floats = as_input(operands.float_rows(shape.rows, shape.inputs));
  else
    args.in.quantized = as_input(operands.int8_rows(shape.rows, shape.inputs));
  args.weight = operands.weight(kind, shape.outputs, shape.inputs);
  args.experts.rows = static_cast<int32_t>(shape.rows);
  args.finish.out = operands.float_rows(shape.rows, shape.outputs);
  if (kind == WeightKind::kFloat32)
    return [&device, shape, args] {
      device.launch(kernels::product_float32, float_product_shape(shape.rows, shape.outputs), args);
    };
  // As launch_shapes.cpp chooses.
  const unsigned across = blocks_of(shape.outputs, kProductOutputs);
  const bool low = static_cast<int64_t>(blocks_of(shape.rows, 64)) * across <
                   2 * device.description().multiprocessors;
  const int tile = low ? 32 : 64;
  const bool bf16 = kind == WeightKind::kBf16;
  const auto kernel = bf16 ? (low ? kernels::product_bf16_32 : kernels::product_bf16_64)
                           : (low ? kernels::product_int8_32 : kernels::product_int8_64);
  const simt::Shape launch = product_shape(tile, shape.rows, shape.outputs,
                                           steps_of(shape.inputs, bf16 ? 2 : 1) * kStepBytes);
  return [&device, kernel, launch, args] { device.launch(kernel, launch, args); };
}

GpuLaunch literal_launch(Device& device, GpuOperands& operands, const ProductShape& shape) {
  LiteralShiftArgs args;
  args.in = as_input(operands.int8_rows(shape.rows, shape.inputs));
  args.nibble_stride = static_cast<int32_t>(nibble_stride(shape.inputs));
  args.nibbles =
      reinterpret_cast<const uint8_t*>(operands.bytes(shape.outputs * args.nibble_stride));
  args.row_scales = operands.floats(shape.outputs);
  args.bias = operands.floats(shape.outputs);
  args.rows = static_cast<int32_t>(shape.rows);
  args.outputs = static_cast<int32_t>(shape.outputs);
  args.inputs = static_cast<int32_t>(shape.inputs);
  args.out = operands.float_rows(shape.rows, shape.outputs);
  return [&device, args] {
    device.launch(kernels::literal_shift,
                  {.grid_x = blocks_of(args.outputs, kLiteralOutputs),
                   .grid_y = blocks_of(args.rows, kLiteralRows),
                   .block_x = kLiteralThreads},
                  args);
  };
}

}  // namespace

void time_products(Device& device, int64_t images, uint32_t times, PartTimes& found) {
  const int64_t rows = 197 * images, width = 192;
  const ProductShape shapes[] = {{"qkv", rows, width, 3 * width},
                                 {"proj", rows, width, width},
                                 {"fc1", rows, width, 4 * width},
                                 {"fc2", rows, 4 * width, width}};
  for (const ProductShape& shape : shapes) {
    const std::string of = concat(shape.rows, " x ", shape.inputs, " x ", shape.outputs);
    const auto time = [&](const char* kernel, const auto& make) {
      found.list.push_back({shape.layer, images, of, kernel,
                            static_cast<double>(shape.rows * shape.inputs * shape.outputs),
                            seconds_of(device, times, make)});
    };
    for (const OwnKernel& kernel : kOwnKernels)
      time(kernel.name,
           [&](GpuOperands& operands) { return own_launch(device, operands, shape, kernel.kind); });
    time("literal shifts and additions",
         [&](GpuOperands& operands) { return literal_launch(device, operands, shape); });
    time_peers(device, {shape.layer, images, of}, "",
               {{1, shape.rows, shape.outputs, shape.inputs}}, times, found);
  }
}

}  // namespace shiftadd::tools
