// The first lines of a run: what will be trained, on what, and where it is written.
#pragma once

#include <string>

#include "train/config.h"
#include "train/run_data.h"

namespace shiftadd::train {

/// "run tiny: folder runs/tiny; log in metrics.csv, ...; 8 threads, avx512": before anything is
/// read.
std::string folder_line(const TrainConfig& config);
/// "data: 240 training and 30 validation images of 10 classes, from A and B".
std::string data_line(const TrainConfig& config, const RunData& data);
/// "network: vit, images of 32 pixels in patches of 4, ...; 1234567 parameters".
std::string network_line(const ModelSpec& spec);
/// "training: 3 epochs of 15 steps, 16 images each, adamw".
std::string training_line(const TrainConfig& config, int64_t images);

}  // namespace shiftadd::train
