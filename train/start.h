// What a run takes from the network it starts from: sizes and preprocessing that its configuration
// leaves out, and the rows of the head.
#pragma once

#include <string>
#include <vector>

#include "model/model_file.h"
#include "train/config.h"

namespace shiftadd::train {

/// Keys of options that a start brings where the configuration does not say them: "model.width",
/// "data.preprocess.mean", ...
std::vector<std::string> inheritable_keys();

/// `config` with everything in config.inherits filled in, its stages' too: from the checkpoint
/// `resume` where one is given, else from init.checkpoint, or from the stage before. Of stages,
/// `resume` only says that there may be checkpoints to go on from. A resize is scaled with the
/// image size. Throws Error (user) for a start that cannot be read, and where what is given does
/// not go with what is inherited.
TrainConfig with_start(const TrainConfig& config, const std::string& resume = "");

/// Which stage before `index` writes the model file `path`, or null.
const TrainConfig* maker_of(const TrainConfig& config, std::size_t index, const std::string& path);

/// What the preprocessing is beside that of `file`, a line for the log.
std::string describe_preprocess(const TrainConfig& config, const ModelFile& file);

/// Where each row of a head comes from.
struct HeadPlan {
  std::vector<int64_t> rows;  // of the start's head, for each class; -1: a new one
  std::string said;           // a line for the log

  bool is_whole() const;               // no row is new
  bool is_same(int64_t before) const;  // nor has any moved, of so many
};
/// By config.init.head, for `count` classes called `classes`. Throws Error (user) where it asks for
/// what the start does not have.
HeadPlan plan_head(const TrainConfig& config, const ModelFile& start, int64_t count,
                   const std::vector<std::string>& classes);

}  // namespace shiftadd::train
