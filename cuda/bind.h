// Launches on memory: the arguments of a kernel from the rows that a launch names.
#pragma once

#include <vector>

#include "cuda/device_weights.h"
#include "cuda/launches.h"
#include "model/plan.h"

namespace shiftadd::cuda {

/// Where the buffers of launches lie in an arena, for up to `images` images: offsets in floats, of
/// a buffer's floats, and of its int8 numbers and their scales where it has such.
struct ArenaLayout {
  ArenaLayout(const Launches& launches, int64_t images);

  std::vector<int64_t> floats, int8, scales;  // by buffer
  int64_t size = 0;                           // floats
};

/// The launches of one plan, and what stays the same for all engines that share weights.
struct Program {
  Program(Plan plan, const Limits& limits);

  Plan plan;
  Launches launches;
};

/// The memory of one forward pass.
struct Memory {
  float* arena = nullptr;
  const float* images = nullptr;    // planes
  const uint8_t* pixels = nullptr;  // or bytes, pixel by pixel: `levels` has the numbers of them
  const float* levels = nullptr;    // (channels, kByteValues)
  const PatchNumber* patch_numbers = nullptr;  // patch_numbers() of such images
  float* logits = nullptr;
  int32_t* counts = nullptr;   // two for each router
  uint8_t* choices = nullptr;  // or null
};

/// The numbers of a patch that a product reads, in planes or among pixels; none where the images
/// are read otherwise.
std::vector<PatchNumber> patch_numbers(const Launches& launches, bool pixels);

/// What a forward pass depends on besides.
struct Settings {
  int64_t images = 0;
  int64_t routers = 0;
  int64_t choices_of_image = 0;
  double shift_share = -1;
};

/// Asks the device for all launches.
void launch_all(Device& device, const Program& program, const Limits& limits,
                const ArenaLayout& layout, const DeviceWeights& weights, const Memory& memory,
                const Settings& settings);

}  // namespace shiftadd::cuda
