// The products of a network's layers on a CUDA device: powers of two on tensor cores, the same as
// literal shifts and additions, and what multiplies.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cuda/device.h"

namespace shiftadd::tools {

struct ProductShape {
  std::string layer;  // of DeiT-T
  int64_t rows, inputs, outputs;
};
struct ProductTime {
  ProductShape shape;
  std::string kernel;
  double seconds = 0;
  double terms_per_second() const {
    return static_cast<double>(shape.rows * shape.inputs * shape.outputs) / seconds;
  }
};

/// The layers of DeiT-T for so many images.
std::vector<ProductShape> deit_products(int64_t images);
/// Each shape by each kernel, on random operands that change from launch to launch, by the device's
/// clock.
std::vector<ProductTime> time_products(cuda::Device& device,
                                       const std::vector<ProductShape>& shapes, uint32_t times);

}  // namespace shiftadd::tools
