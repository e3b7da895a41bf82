// What can be told of a checkpoint that another program wrote.
#pragma once

#include "core/io/weights_file.h"
#include "tools/info/facts.h"

namespace shiftadd::tools {

/// Adds the names of its tensors, those of all blocks in one, its classes, what configuration files
/// beside it say, and the network that shiftadd-convert --arch auto finds in it, given `set`.
void add_foreign(Facts& facts, const WeightsFile& weights, const std::string& path,
                 const std::vector<std::string>& set);

}  // namespace shiftadd::tools
