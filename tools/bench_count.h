// Operations and energy of a network, from its spec alone: nothing is run.
#pragma once

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/io/json_text.h"
#include "core/model/model_file.h"
#include "core/model/op_count.h"

namespace shiftadd::tools {

struct CountBench {
  std::string model;
  double shift_share = 0.6;
  std::vector<std::string> miscounts;  // of kMiscounts
  bool json = false;
};

/// What the authors' released code miscounts (PublishedMiscounts), by name.
inline const std::vector<std::string> kMiscounts = {"adds", "softmax", "elementwise", "all"};

/// The architecture of a name, a JSON file or a model file.
inline ModelSpec open_spec(const std::string& name) {
  const bool file = std::filesystem::is_regular_file(name) && !name.ends_with(".json");
  return file ? load_model(name).spec : load_spec(name);
}

inline int run_count(const CountBench& options) {
  const ModelSpec spec = open_spec(options.model);
  const std::vector<double> shares(routers_of(spec).size(), options.shift_share);
  const auto miscounted = [&](const std::string& name) {
    return std::any_of(options.miscounts.begin(), options.miscounts.end(),
                       [&](const std::string& given) { return given == name || given == "all"; });
  };
  const PublishedMiscounts miscounts = {.every_add_as_the_first = miscounted("adds"),
                                        .softmax_products_free = miscounted("softmax"),
                                        .elementwise_latency_missing = miscounted("elementwise")};
  const ModelCost cost = count_operations(spec, shares, miscounts);
  if (options.json) {
    nlohmann::ordered_json json = {{"model", spec.name}};
    if (!shares.empty()) json["shift_share"] = options.shift_share;
    json.update(to_json(cost));
    std::cout << json_text(json) << "\n";
    return 0;
  }
  std::cout << spec.name << ", one image";
  if (!shares.empty()) std::cout << ", " << 100 * options.shift_share << " % of tokens shifted";
  for (const std::string& name : options.miscounts)
    std::cout << ", with the released code's miscount '" << name << "'";
  std::cout << "\n" << to_text(cost);
  return 0;
}

}  // namespace shiftadd::tools
