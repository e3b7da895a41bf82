// The networks of a run: the one that is trained, and its teacher.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "layers/vit.h"
#include "train/config.h"

namespace shiftadd::train {

using Say = std::function<void(const std::string&)>;  // receives a line for the user

/// A new network of `spec` with the parameters of config.train.freeze frozen, started from
/// config.init where that is given; not when `resumed`, because a checkpoint's weights follow.
/// Throws Error (user): another architecture in the file, a pattern that matches nothing, nothing
/// left to train.
std::unique_ptr<layers::Vit> make_network(const TrainConfig& config, const ModelSpec& spec,
                                          const std::vector<std::string>& classes, bool resumed,
                                          const Say& say);

/// The teacher, frozen; null where the configuration names none. Throws Error (user) when it takes
/// other images (size, normalisation) or knows other classes than the student.
std::unique_ptr<layers::Vit> make_teacher(const TrainConfig& config, const ModelSpec& spec,
                                          const std::vector<std::string>& classes);

}  // namespace shiftadd::train
