// The list of a training config's options: each once, with key, default, range and description.
#pragma once

#include "core/config/visitor.h"
#include "train/config.h"

namespace shiftadd::train {

/// Shows every option to the visitor, its value taken from and written to `config`.
void list_options(ConfigVisitor& visitor, TrainConfig& config);

/// Before a file is read: the defaults that stand in the schema. data.preprocess.resize is -1 (not
/// yet resolved).
TrainConfig default_config();

}  // namespace shiftadd::train
