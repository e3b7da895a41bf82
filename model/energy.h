// Energy of one product on a spatial accelerator with a memory hierarchy, after Eyeriss.
//
// The model that You et al. (ShiftAddViT, arXiv 2306.06446) use: every way to tile the loops over
// the array and its buffers is enumerated, and the best compromise of energy and time is charged.
#pragma once

#include <compare>
#include <cstdint>

namespace shiftadd {

/// What the inner step of a product is.
enum class StepKind : uint8_t { kMultiply, kAdd, kShift };

/// A convolution; a product of T rows is one with batch T and every extent 1. A depthwise
/// convolution has its channels in the batch and one channel in and out.
struct LoopNest {
  StepKind kind = StepKind::kMultiply;
  int64_t batch = 1, in = 1, out = 1;  // images or rows, channels in, channels out
  int64_t in_height = 1, in_width = 1, out_height = 1, out_width = 1;
  int64_t kernel = 1, stride = 1;

  bool operator==(const LoopNest&) const = default;
  auto operator<=>(const LoopNest&) const = default;
};

struct EnergyEstimate {
  double millijoules = 0, milliseconds = 0;
};

/// 32-bit operands, weights of a shift 10 bits, operands of an addition on chip; 192 processing
/// elements at 250 MHz, 45 nm unit energies. Extents at least 1; deterministic.
EnergyEstimate eyeriss_energy(const LoopNest& nest);

/// Energies of one operation in 45 nm, picojoule.
struct UnitEnergy {
  double multiply, add, shift;
};
constexpr UnitEnergy kFloat32Energy = {3.7, 0.9, 0};
constexpr UnitEnergy kInt32Energy = {3.1, 0.1, 0.13};
constexpr UnitEnergy kInt8Energy = {0.2, 0.03, 0.024};

}  // namespace shiftadd
