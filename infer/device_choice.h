// Where a session computes: on the CPU, or on a CUDA device by its number.
#pragma once

#include <optional>
#include <string>

#include "cuda/device.h"

namespace shiftadd::infer {

struct DeviceChoice {
  enum class Kind {
    kCpu,
    kCuda,
    kAuto  ///< the first CUDA device, or the CPU where there is none
  };
  Kind kind = Kind::kCpu;
  int number = 0;  // of the CUDA device
};

/// "cpu", "cuda" (the first), "cuda:1" or "auto". Throws Error (user) for anything else.
DeviceChoice device_choice(const std::string& text);

/// The CUDA device to compute on, none: the CPU. Throws Error (failure) where kCuda cannot be had.
std::optional<cuda::Device> open_device(const DeviceChoice& choice);

}  // namespace shiftadd::infer
