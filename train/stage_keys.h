// Options that a configuration gives for all stages, held against those that stages give
// themselves.
#pragma once

#include <string>
#include <vector>

#include "core/config/node.h"
#include "train/config.h"

namespace shiftadd::train {

/// `root` is the configuration without its stages, `stages` their objects, `runs` what they came
/// to, `merged` the files in the order in which they were merged (load_config_node). Throws Error
/// (user) for an option of --set, or of a file that was merged after the one with the stages, that
/// every stage that it concerns sets itself to something else: nothing would come of it. The error
/// names the stages and what to write instead. Returns a line for each --set that holds for some
/// stages alone. An option concerns all stages, but for surgery.transfer, which concerns those that
/// convert attention, and router, which concerns those from the first mixture on.
std::vector<std::string> check_shared_keys(const ConfigNode& root,
                                           const std::vector<ConfigNode>& stages,
                                           const std::vector<TrainConfig>& runs,
                                           const std::vector<std::string>& merged);

/// A line for each later stage whose own learning rate is above the first stage's, and of another
/// file: that of a recipe is a number, whatever the rate of the configuration it is laid over.
std::vector<std::string> check_stage_rates(const ConfigNode& root,
                                           const std::vector<ConfigNode>& stages,
                                           const std::vector<TrainConfig>& runs);

}  // namespace shiftadd::train
