// Writes result.json, and reads it back with checks.
#include "train/run_result.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/io/checksum.h"
#include "core/io/files.h"
#include "core/io/json_field.h"
#include "core/io/json_text.h"
#include "model/op_count.h"

namespace shiftadd::train {
namespace {

using nlohmann::ordered_json;

constexpr int kVersion = 1;

ordered_json routers_json(const RunResult& result) {
  ordered_json routers = ordered_json::array();
  const std::vector<std::string> names = router_names(result.spec);
  for (std::size_t i = 0; i < names.size(); ++i)
    routers.push_back({{"layer", names[i]}, {"shift_share", result.shift_shares[i]}});
  return routers;
}

}  // namespace

RunResult make_result(const std::string& name, const ModelSpec& spec, const Validation& validation,
                      const std::string& data, const std::string& model_path) {
  return {.name = name,
          .spec = spec,
          .top1 = validation.answers.top1(),
          .top5 = validation.answers.top5(),
          .loss = validation.answers.loss(),
          .images = validation.answers.images(),
          .shift_shares = validation.shift_shares,
          .right = validation.right,
          .data = data,
          .model = sha256_of_file(model_path)};
}

void write_result(const std::string& folder, const RunResult& result) {
  const ModelCost cost = count_operations(result.spec, result.shift_shares);
  const ordered_json json = {{"version", kVersion},
                             {"name", result.name},
                             {"top1", result.top1},
                             {"top5", result.top5},
                             {"loss", result.loss},
                             {"images", result.images},
                             {"shift_share", mean_share(result.shift_shares)},
                             {"routers", routers_json(result)},
                             {"operations", to_json(cost)["total"]},
                             {"weight_bytes", cost.weight_bytes},
                             {"model", to_json(result.spec)},
                             {"model_sha256", result.model},
                             {"weights", result.weights},
                             {"data", result.data},
                             {"right", result.right}};
  write_file(folder + "/result.json", with_checksum(json_text(json, 2) + "\n"));
}

RunResult read_result(const std::string& folder) {
  const std::string path = folder + "/result.json";
  const std::string text = read_checked_json(path);
  RunResult result;
  try {
    const ordered_json json = parse_ordered_json(text);
    ordered_json version, model, routers;
    take_field(json, "version", version);
    if (version != kVersion)
      throw user_error("has version ", json_text(version), ", this program reads ", kVersion);
    take_field(json, "name", result.name);
    take_field(json, "model", model);
    result.spec = parse_model_spec(json_text(model), "model");
    take_field(json, "top1", result.top1);
    take_field(json, "top5", result.top5);
    take_field(json, "loss", result.loss);
    take_field(json, "images", result.images);
    take_field(json, "right", result.right);
    take_field(json, "data", result.data);
    take_field(json, "model_sha256", result.model);
    if (json.contains("weights")) take_field(json, "weights", result.weights);
    take_field(json, "routers", routers);
    for (const auto& router : routers)
      take_field(router, "shift_share", result.shift_shares.emplace_back());
  } catch (const Error& error) {
    throw user_error(path, ": is no result of a run, or damaged: ", error.what());
  }
  const int64_t right = std::count(result.right.begin(), result.right.end(), '1');
  const int64_t wrong = std::count(result.right.begin(), result.right.end(), '0');
  const bool shares = result.shift_shares.size() == routers_of(result.spec).size() &&
                      std::all_of(result.shift_shares.begin(), result.shift_shares.end(),
                                  [](double share) { return share >= 0 && share <= 1; });
  if (!shares || right + wrong != static_cast<int64_t>(result.right.size()) ||
      right + wrong != result.images ||
      std::abs(Evaluation::percent(right, result.images) - result.top1) > 1e-6)
    throw user_error(path, ": its shares or answers do not fit its figures: the file is damaged");
  return result;
}

}  // namespace shiftadd::train
