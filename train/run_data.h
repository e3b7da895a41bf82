// The sets a configuration names, opened and checked.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/loader.h"
#include "train/config.h"

namespace shiftadd::train {

struct RunData {
  data::ImageFolder train, val;
  std::string digest;  // "TRAIN VAL": the digests of both
};

/// Draws the synthetic set where the configuration asks for one, opens train and val (or splits
/// train by val_fraction and the seed). Throws Error (user): what ImageFolder::open throws,
/// different classes, a model with another number of classes.
RunData open_data(const TrainConfig& config);

/// Lines for the start of a run: the notes of both sets.
std::vector<std::string> notes_on(const RunData& data);

/// At most `most` samples of the set, spread evenly over it.
data::ImageFolder spread_subset(const data::ImageFolder& set, int64_t most);

/// A few hundred training images (B, C, S, S), spread over the set, prepared as for evaluation.
Tensor sample_images(const TrainConfig& config, const data::ImageFolder& train);

/// Loaders for the configuration; `warn` receives a line per broken image that was left out.
/// Quarantined names go to FOLDER/quarantine.txt.
data::LoaderOptions training_options(const TrainConfig& config, const std::string& folder,
                                     std::function<void(const std::string&)> warn);
data::LoaderOptions evaluation_options(const TrainConfig& config, const std::string& folder,
                                       std::function<void(const std::string&)> warn);

}  // namespace shiftadd::train
