// What a model file of ours says of its network.
#pragma once

#include "core/io/weights_file.h"
#include "model/model_file.h"
#include "tools/info/facts.h"

namespace shiftadd::tools {

/// "model file", "packed model file" or "training checkpoint", by its metadata.
std::string kind_of_model(const WeightsFile& weights);

/// Adds architecture, operations, classes, preprocessing, packing and the state of training.
void add_model(Facts& facts, const WeightsFile& weights);

/// {"count": 7, "names": [...], "ids": [...]}, without lists that are empty.
nlohmann::ordered_json classes_json(int64_t count, const std::vector<std::string>& names,
                                    const std::vector<std::string>& ids = {});

}  // namespace shiftadd::tools
