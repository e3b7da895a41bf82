// Parts of networks by themselves on a CUDA device: products, attention, mixtures of MLPs, each by
// every kernel that does it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cuda/device.h"

namespace shiftadd::tools {

struct PartTime {
  std::string part;  // "qkv", "attention", "MLP": of DeiT-T
  int64_t images;
  std::string shape;
  std::string kernel = {};
  double terms = 0;  // products, additions, or shifts with an addition, of a launch
  double seconds = 0;

  double seconds_of_image() const { return seconds / static_cast<double>(images); }
  double terms_per_second() const { return terms / seconds; }
};
struct PartTimes {
  std::vector<PartTime> list;
  std::string no_library;  // why products of another library are not among them; empty: they are
};

/// Of DeiT-T for so many images, by the device's clock, on random numbers; each launch reads what
/// none of those before it left in L2.
void time_products(cuda::Device& device, int64_t images, uint32_t times, PartTimes& found);
void time_attention(cuda::Device& device, int64_t images, uint32_t times, PartTimes& found);
void time_mixtures(cuda::Device& device, int64_t images, uint32_t times, PartTimes& found);

}  // namespace shiftadd::tools
