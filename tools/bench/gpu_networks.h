// Whole networks on a CUDA device, random weights: held against the CPU engine, then timed on the
// device alone, from the host's floats, and from JPEGs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cuda/device.h"
#include "data/image_stream.h"

namespace shiftadd::tools {

enum class NetworkForm : uint8_t { kShiftAdd, kInt8, kBf16 };
inline constexpr NetworkForm kNetworkForms[] = {NetworkForm::kShiftAdd, NetworkForm::kInt8,
                                                NetworkForm::kBf16};
const char* name_of(NetworkForm form);

struct NetworkTime {
  int64_t batch = 0;
  double device_ms = 0;  // images and answers stay there
  double whole_ms = 0;   // from floats of the host to its logits
  double jpeg_images_per_second = 0;

  double images_per_second() const { return 1e3 * static_cast<double>(batch) / device_ms; }
};
struct NetworkFigures {
  std::string model;
  NetworkForm form;
  int64_t launches = 0;
  bool same_bits = false;  // as the CPU engine's logits
  double distance = 0;     // the largest between two logits
  std::vector<NetworkTime> times;
};

/// `jpegs`: what batches are decoded from, over and over, while the one before is computed.
NetworkFigures network_figures(const cuda::Device& device, const std::string& model,
                               NetworkForm form, const std::vector<int64_t>& batches, int64_t times,
                               const data::ImageSource& jpegs);

/// Drawn photographs of 432 x 432 pixels, as many as ImageNet's images have on average, in memory.
data::ImageSource drawn_jpegs();
/// What is decoded and made to 224 x 224 pixels a second, by all threads, with nothing else to do.
double images_decoded_per_second(const data::ImageSource& jpegs);

}  // namespace shiftadd::tools
