// What is predicted of a network on GPUs, as tables or as JSON: nothing of it was measured.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cuda/predict.h"

namespace shiftadd::tools {

struct DevicePredictions {
  const cuda::DeviceModel* device;
  std::vector<cuda::Prediction> batches;
};
/// One for each name of cuda::device_models(). Shares below 0: those of the pack or, where it has
/// none, one half. Throws Error as cuda::device_model and cuda::predict do.
std::vector<DevicePredictions> predictions_of(const Network& network, const PackSpec& pack,
                                              double shift_share,
                                              const std::vector<std::string>& devices,
                                              const std::vector<int64_t>& batches);

/// Every line says that it is a prediction.
std::string to_text(const DevicePredictions& predictions, const std::string& network);
nlohmann::ordered_json to_json(const DevicePredictions& predictions);

}  // namespace shiftadd::tools
