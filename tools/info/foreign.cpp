// Groups the names of a foreign checkpoint's tensors, and reads what lies beside it.
#include "tools/info/foreign.h"

#include <algorithm>
#include <sstream>

#include "model/convert.h"
#include "model/file_hints.h"
#include "tools/describe.h"
#include "tools/info/model.h"

namespace shiftadd::tools {
namespace {

using nlohmann::ordered_json;

// "blocks.{N}.attn.qkv.weight": each number between dots as in a rule of a mapping file.
std::string pattern_of(const std::string& name) {
  std::string pattern;
  std::size_t begin = 0;
  for (std::size_t end; begin <= name.size(); begin = end + 1) {
    end = std::min(name.find('.', begin), name.size());
    const std::string part = name.substr(begin, end - begin);
    const bool is_number = !part.empty() && part.find_first_not_of("0123456789") == part.npos;
    pattern += (begin ? "." : "") + (is_number ? "{N}" : part);
  }
  return pattern;
}

// One row for the tensors of a pattern, shape and type.
ordered_json names_of_tensors(const NamedTensors& tensors) {
  ordered_json rows = ordered_json::array();
  for (const auto& [name, tensor] : tensors) {
    const ordered_json row = {
        {"name", pattern_of(name)}, {"dtype", name_of(tensor.dtype())}, {"shape", tensor.shape()}};
    const auto same = std::find_if(rows.begin(), rows.end(), [&](const ordered_json& other) {
      return std::all_of(row.items().begin(), row.items().end(),
                         [&](const auto& item) { return other.at(item.key()) == item.value(); });
    });
    if (same == rows.end()) {
      rows.push_back(row);
      rows.back()["count"] = 1;
    } else {
      (*same)["count"] = same->at("count").get<int64_t>() + 1;
    }
  }
  return rows;
}

ordered_json hints_json(const FileHints& hints) {
  ordered_json json = {{"files", hints.sources}};
  const auto add = [&](const char* key, const auto& value) {
    if (value) json[key] = *value;
  };
  if (!hints.architecture.empty()) json["architecture"] = hints.architecture;
  if (!hints.model_type.empty()) json["model_type"] = hints.model_type;
  add("heads", hints.heads);
  if (hints.image_size) json["image_size"] = grid_text(*hints.image_size);
  add("patch_size", hints.patch_size);
  add("in_channels", hints.channels);
  add("norm_eps", hints.norm_eps);
  add("qkv_bias", hints.qkv_bias);
  if (hints.activation) json["activation"] = name_of(*hints.activation);
  if (hints.pooling) json["pooling"] = name_of(*hints.pooling);
  if (hints.preprocess) json["preprocess"] = to_json(*hints.preprocess);
  const auto names = static_cast<int64_t>(hints.classes.size());
  if (names > 0 || hints.class_count)
    json["classes"] = classes_json(hints.class_count.value_or(names), hints.classes);
  if (!hints.notes.empty()) json["notes"] = hints.notes;
  if (!hints.unsupported.empty()) json["unsupported"] = hints.unsupported;
  return json;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    lines.push_back(line.substr(std::min(line.find_first_not_of(' '), line.size())));
  return lines;
}

// What shiftadd-convert --arch auto makes of it, or why it makes nothing.
ordered_json conversion_json(const WeightsFile& weights, const std::string& path,
                             const std::vector<std::string>& set) {
  try {
    DescribeArguments arguments;
    arguments.input = path;
    for (const std::string& each : set) arguments.set.push_back(set_option(each));
    const Description description = describe(arguments, weights);
    const ModelFile& model = description.model;
    ordered_json json = {{"architecture", to_json(model.spec)},
                         {"parameters", count_parameters(model.spec)},
                         {"macs", count_macs(model.spec).total()},
                         {"classes", classes_json(model.spec.classes, model.classes)},
                         {"preprocess", to_json(model.preprocess)},
                         {"notes", description.notes}};
    const Conversion fitted = fit_weights(weights, description.translation, network_of(model.spec));
    if (!fitted.problems.empty()) json["refused"] = fitted.problems;
    return json;
  } catch (const Error& error) {
    return {{"refused", lines_of(error.what())}};
  }
}

}  // namespace

void add_foreign(Facts& facts, const WeightsFile& weights, const std::string& path,
                 const std::vector<std::string>& set) {
  facts.json["names"] = names_of_tensors(weights.tensors);
  if (!weights.classes.empty())
    facts.json["classes"] =
        classes_json(static_cast<int64_t>(weights.classes.size()), weights.classes);
  facts.attempt([&] {
    const FileHints hints = hints_beside(path);
    if (!hints.sources.empty()) facts.json["beside"] = hints_json(hints);
  });
  facts.json["arch_auto"] = conversion_json(weights, path, set);
}

}  // namespace shiftadd::tools
