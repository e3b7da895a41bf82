// shiftadd-bench count: operations and energy of a network, from its spec alone; nothing is run.
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/io/json_text.h"
#include "model/op_count.h"
#include "tools/bench/commands.h"
#include "tools/bench/network.h"

namespace shiftadd::tools {
namespace {

struct CountOptions {
  std::string model;
  double shift_share = 0.6;
  std::vector<std::string> miscounts;  // of those that add_count names
  bool json = false;
};

int run_count(const CountOptions& options) {
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

}  // namespace

void add_count(Commands& commands) {
  auto [command, options] = commands.add(
      "count", "Multiplications, additions, shifts, bytes and energy, layer by layer; runs nothing",
      run_count);
  command.network(options.model, "An architecture's name, its JSON, or a model file",
                  "NAME|SPEC.json|MODEL");
  command.shift_share(options.shift_share, "Share of tokens that routers send to Shift [0.6]");
  command.choices("--miscount", options.miscounts,
                  "Count as ShiftAddViT's released code does, for comparison with its figures: "
                  "every addition layer charged as the first (adds), softmax attention's products "
                  "free (softmax), elementwise products without latency (elementwise); may be "
                  "repeated",
                  {"adds", "softmax", "elementwise", "all"});  // by name, PublishedMiscounts
  command.json(options.json);
  command.list_archs();
}

}  // namespace shiftadd::tools
