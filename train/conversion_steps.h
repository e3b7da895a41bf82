// What a conversion does beside ordinary steps: transfer before the first, calibration after the
// last.
#pragma once

#include <atomic>

#include "layers/model.h"
#include "train/config.h"
#include "train/reporter.h"
#include "train/run_data.h"

namespace shiftadd::train {

/// config.surgery.transfer: transfer_attention on the training images from the network the run
/// starts from. False when it was stopped: `model` is then good for nothing.
bool run_transfer(const TrainConfig& config, const RunData& data, layers::Model& model,
                  Reporter& reporter, const std::atomic<bool>& stop);

/// config.router.calibrate: calibrate_shares on training images, prepared as for evaluation.
void run_calibration(const TrainConfig& config, const RunData& data, layers::Model& model,
                     Reporter& reporter);

}  // namespace shiftadd::train
