// Reads a file of weights, and says what kind it is and what it holds.
#include "tools/info/facts.h"

#include <filesystem>

#include "core/io/weights_file.h"
#include "tools/info/foreign.h"
#include "tools/info/model.h"

namespace shiftadd::tools {
namespace {

using nlohmann::ordered_json;
namespace fs = std::filesystem;

// Reads the file; where no more is wrong with it than its checksum, that is a problem.
WeightsFile read(const std::string& path, Facts& facts) {
  try {
    return read_weights(path);
  } catch (const Error&) {
    std::string damage;
    const std::string file = weights_path(path);
    try {
      WeightsFile weights = weights_of(read_damaged_safetensors(file, damage), file);
      if (!damage.empty()) facts.problems.push_back(damage);
      if (!damage.empty()) return weights;
    } catch (const Error&) {  // then the first error says it better
    }
    throw;
  }
}

ordered_json counts_of(const WeightsFile& weights) {
  int64_t numbers = 0;
  std::size_t bytes = 0;
  std::map<std::string, int64_t> dtypes;
  for (const auto& [name, tensor] : weights.tensors) {
    numbers += tensor.numel();
    bytes += tensor.bytes();
    ++dtypes[name_of(tensor.dtype())];
  }
  return {{"count", weights.tensors.size()},
          {"numbers", numbers},
          {"bytes", bytes},
          {"dtypes", dtypes}};
}

ordered_json list_of(const WeightsFile& weights) {
  ordered_json list = ordered_json::array();
  for (const auto& [name, tensor] : weights.tensors)
    list.push_back({{"name", name}, {"dtype", name_of(tensor.dtype())}, {"shape", tensor.shape()}});
  for (const auto& [name, why] : weights.unread) list.push_back({{"name", name}, {"unread", why}});
  return list;
}

}  // namespace

Facts facts_of(const std::string& path, const std::vector<std::string>& set) {
  const auto require_no_set = [&] {
    if (!set.empty())
      throw user_error("--set says what a foreign checkpoint does not tell: ", path,
                       " is ours, and says it all");
  };
  if (is_run(path)) {
    require_no_set();
    return facts_of_run(path);
  }
  Facts facts;
  const WeightsFile weights = read(path, facts);
  const bool is_ours = weights.metadata.contains("shiftadd.model");
  if (is_ours) require_no_set();
  ordered_json& json = facts.json;
  json["path"] = path;
  json["kind"] = is_ours ? kind_of_model(weights) : "checkpoint";
  json["format"] = weights.format;
  if (weights.files.size() > 1 || weights.files.front() != path)
    for (const std::string& file : weights.files)
      json["files"].push_back(
          fs::path(file).lexically_relative(fs::path(weights.files.front()).parent_path()));
  if (!weights.wrapper.empty()) json["state_dict"] = weights.wrapper;
  if (is_ours || weights.has_checksum)
    json["checksum"] = !facts.problems.empty() ? "wrong" : weights.has_checksum ? "right" : "none";
  json["tensors"] = counts_of(weights);
  if (!weights.outside.empty()) json["beside_state_dict"] = weights.outside;
  if (!weights.placeholders.empty()) json["not_data"] = weights.placeholders;
  if (is_ours)
    add_model(facts, weights);
  else
    add_foreign(facts, weights, path, set);
  json["tensor_list"] = list_of(weights);
  return facts;
}

}  // namespace shiftadd::tools
