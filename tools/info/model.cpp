// Says what network a model file holds, what it costs, and how it is stored.
#include "tools/info/model.h"

#include "core/io/json_text.h"
#include "model/op_count.h"
#include "train/checkpoint.h"

namespace shiftadd::tools {
namespace {

using nlohmann::ordered_json;

// What differs from the plain network; "" where nothing does.
std::string conversion_of(const ModelSpec& spec) {
  ModelSpec plain = spec;
  plain.shift_add = {};
  return spec_difference(spec, plain);
}

void add_costs(ordered_json& json, const ModelFile& model) {
  json["parameters"] = count_parameters(model.spec);
  json["macs"] = count_macs(model.spec).total();
  const std::vector<double> shares = model.pack ? model.pack->shift_shares : std::vector<double>();
  if (shares.size() != routers_of(model.spec).size()) return;  // they were not measured
  const OpCounts total = count_operations(model.spec, shares).total;
  json["operations"] = {{"multiplications", total.multiplications},
                        {"additions", total.additions},
                        {"shifts", total.shifts},
                        {"millijoules", total.eyeriss.millijoules}};
}

void add_training(ordered_json& json, const TensorFile& file, const std::string& path) {
  const train::TrainingState state = train::checkpoint_in(file, path).state;
  json["training"] = {{"epoch", state.epoch}, {"step", state.step}};
  if (state.best_top1 >= 0)
    json["training"].update({{"best_top1", state.best_top1}, {"best_epoch", state.best_epoch}});
}

}  // namespace

ordered_json classes_json(int64_t count, const std::vector<std::string>& names,
                          const std::vector<std::string>& ids) {
  ordered_json json = {{"count", count}};
  if (!names.empty()) json["names"] = names;
  if (!ids.empty()) json["ids"] = ids;
  return json;
}

std::string kind_of_model(const WeightsFile& weights) {
  if (weights.metadata.contains("shiftadd.training")) return "training checkpoint";
  return weights.metadata.contains("shiftadd.pack") ? "packed model file" : "model file";
}

void add_model(Facts& facts, const WeightsFile& weights) {
  const std::string& path = weights.files.front();
  TensorFile file = {.tensors = weights.tensors, .metadata = weights.metadata};
  ordered_json& json = facts.json;
  facts.attempt([&] {
    const ModelFile model = any_model_in(file, path);
    json["architecture"] = to_json(model.spec);
    if (model.spec.converted()) json["converted"] = conversion_of(model.spec);
    add_costs(json, model);
    json["classes"] = classes_json(model.spec.classes, model.classes, model.class_ids);
    json["preprocess"] = to_json(model.preprocess);
    if (model.pack) json["pack"] = to_json(*model.pack);
  });
  const auto which = weights.metadata.find("shiftadd.weights");
  if (which != weights.metadata.end() && !which->second.empty()) json["weights"] = which->second;
  if (weights.metadata.contains("shiftadd.training"))
    facts.attempt([&] { add_training(json, file, path); });
}

}  // namespace shiftadd::tools
