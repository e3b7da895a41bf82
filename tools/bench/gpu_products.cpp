// Fills device memory with random operands, records a launch for each set of them, and times that.
#include "tools/bench/gpu_products.h"

#include <cstring>
#include <utility>

#include "core/kernels/int8.h"
#include "core/random.h"
#include "cuda/fragments.h"
#include "cuda/literal_shift.h"
#include "cuda/product.h"

namespace shiftadd::tools {
namespace {

using namespace cuda;

// Sets of operands: what a launch reads was not read by the one before.
constexpr int kSets = 4;

// Random bytes as device memory. Every pattern of bits is an int8 number or a pair of codes; floats
// are small whole numbers.
class Operands {
 public:
  explicit Operands(Device& device) : device_(device) {}

  const int8_t* bytes(int64_t count) {
    std::vector<uint8_t> values(static_cast<std::size_t>(count));
    for (uint8_t& each : values) each = static_cast<uint8_t>(random_.below(256));
    return static_cast<const int8_t*>(send(values.data(), values.size()));
  }
  const float* floats(int64_t count) {
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& each : values) each = static_cast<float>(random_.below(17)) - 8;
    return static_cast<const float*>(send(values.data(), values.size() * sizeof(float)));
  }
  float* out(int64_t floats) {
    memory_.push_back(device_.allocate(static_cast<std::size_t>(floats) * sizeof(float)));
    return memory_.back().as<float>();
  }

 private:
  void* send(const void* from, std::size_t bytes) {
    memory_.push_back(device_.allocate(bytes));
    device_.copy_in(memory_.back().get(), from, bytes);
    device_.synchronise();
    return memory_.back().get();
  }
  Device& device_;
  Random random_{23, 0};
  std::vector<Device::Memory> memory_;
};

template <class T>
RowsAt<T> rows_at(T* data, int64_t rows, int64_t width) {
  const auto count = static_cast<int32_t>(rows);
  return {data, {count, count, 0}, static_cast<int32_t>(width)};
}
unsigned blocks(int64_t of, int64_t each) { return static_cast<unsigned>((of + each - 1) / each); }

// A product of one shape by one kernel; launch() asks for it.
class Product {
 public:
  Product(Operands& operands, const ProductShape& shape, WeightKind kind, int tile)
      : shape_(shape), kind_(kind), tile_(tile) {
    const int64_t rows = shape.rows, inputs = shape.inputs, outputs = shape.outputs;
    const auto count = static_cast<int32_t>(rows);
    if (kind == WeightKind::kBf16 || kind == WeightKind::kFloat32) {
      args_.in.floats = rows_at(operands.floats(rows * inputs), rows, inputs);
    } else {
      const int64_t stride = steps_of(inputs, 1) * kStepBytes;
      args_.in.quantized = {operands.bytes(rows * stride),
                            operands.floats(rows),
                            {count, count, 0},
                            static_cast<int32_t>(stride)};
    }
    const int64_t words = groups_of(outputs) * kGroupOutputs *
                          steps_of(inputs, kind == WeightKind::kBf16 ? 2 : 1) * kStepBytes;
    args_.weight.data = kind == WeightKind::kFloat32
                            ? static_cast<const void*>(operands.floats(outputs * inputs))
                            : operands.bytes(kind == WeightKind::kNibbles ? words / 2 : words);
    args_.weight.row_scales = operands.floats(outputs);
    args_.weight.bias = operands.floats(outputs);
    args_.weight.outputs = static_cast<int32_t>(outputs);
    args_.weight.inputs = static_cast<int32_t>(inputs);
    args_.weight.kind = kind;
    args_.experts.rows = count;
    args_.finish.out = rows_at(operands.out(rows * outputs), rows, outputs);
  }
  void launch(Device& device) const {
    if (kind_ == WeightKind::kFloat32)
      return device.launch(kernels::product_float32,
                           {.grid_x = blocks(shape_.outputs, kFloatTile),
                            .grid_y = blocks(shape_.rows, kFloatTile),
                            .block_x = kFloatThreads},
                           args_);
    const bool bf16 = kind_ == WeightKind::kBf16;
    const int64_t row_bytes = steps_of(shape_.inputs, bf16 ? 2 : 1) * kStepBytes;
    const auto kernel = bf16 ? (tile_ == 64 ? kernels::product_bf16_64 : kernels::product_bf16_32)
                             : (tile_ == 64 ? kernels::product_int8_64 : kernels::product_int8_32);
    device.launch(kernel,
                  {.grid_x = blocks(shape_.outputs, kProductOutputs),
                   .grid_y = blocks(shape_.rows, tile_),
                   .block_x = static_cast<unsigned>(product_threads(tile_)),
                   .shared_bytes = product_shared(tile_, row_bytes)},
                  args_);
  }

 private:
  ProductShape shape_;
  WeightKind kind_;
  int tile_;
  ProductArgs args_;
};

class LiteralProduct {
 public:
  LiteralProduct(Operands& operands, const ProductShape& shape) {
    const int64_t stride = steps_of(shape.inputs, 1) * kStepBytes;
    const auto count = static_cast<int32_t>(shape.rows);
    args_.in = {operands.bytes(shape.rows * stride),
                operands.floats(shape.rows),
                {count, count, 0},
                static_cast<int32_t>(stride)};
    args_.nibble_stride = static_cast<int32_t>(nibble_stride(shape.inputs));
    args_.nibbles =
        reinterpret_cast<const uint8_t*>(operands.bytes(shape.outputs * args_.nibble_stride));
    args_.row_scales = operands.floats(shape.outputs);
    args_.bias = operands.floats(shape.outputs);
    args_.rows = count;
    args_.outputs = static_cast<int32_t>(shape.outputs);
    args_.inputs = static_cast<int32_t>(shape.inputs);
    args_.out = rows_at(operands.out(shape.rows * shape.outputs), shape.rows, shape.outputs);
  }
  void launch(Device& device) const {
    device.launch(kernels::literal_shift,
                  {.grid_x = blocks(args_.outputs, kLiteralOutputs),
                   .grid_y = blocks(args_.rows, kLiteralRows),
                   .block_x = kLiteralThreads},
                  args_);
  }

 private:
  LiteralShiftArgs args_;
};

template <class Make>
double seconds_of(Device& device, uint32_t times, Make make) {
  Operands operands(device);
  const auto one = make(operands);
  std::vector<std::decay_t<decltype(one)>> sets = {one};
  while (sets.size() < kSets) sets.push_back(make(operands));
  const Device::Graph graph = device.capture([&] {
    for (const auto& each : sets) each.launch(device);
  });
  device.time(graph, 1);  // once to warm up
  return device.time(graph, times) / kSets;
}

}  // namespace

std::vector<ProductShape> deit_products(int64_t images) {
  const int64_t rows = 197 * images, width = 192;
  return {{"qkv", rows, width, 3 * width},
          {"proj", rows, width, width},
          {"fc1", rows, width, 4 * width},
          {"fc2", rows, 4 * width, width}};
}

std::vector<ProductTime> time_products(Device& device, const std::vector<ProductShape>& shapes,
                                       uint32_t times) {
  const int32_t processors = device.description().multiprocessors;
  std::vector<ProductTime> all;
  for (const ProductShape& shape : shapes) {
    const int64_t whole =
        static_cast<int64_t>(blocks(shape.rows, 64)) * blocks(shape.outputs, kProductOutputs);
    const int tile = whole < 2 * processors ? 32 : 64;
    const std::pair<const char*, WeightKind> kinds[] = {
        {"powers of two, tensor cores", WeightKind::kNibbles},
        {"int8, tensor cores", WeightKind::kInt8},
        {"bf16, tensor cores", WeightKind::kBf16},
        {"float32", WeightKind::kFloat32}};
    for (const auto& [name, kind] : kinds) {
      const auto product = [&, of = kind](Operands& operands) {
        return Product(operands, shape, of, tile);
      };
      all.push_back({shape, name, seconds_of(device, times, product)});
    }
    all.push_back(
        {shape, "literal shifts and additions", seconds_of(device, times, [&](Operands& operands) {
           return LiteralProduct(operands, shape);
         })});
  }
  return all;
}

}  // namespace shiftadd::tools
