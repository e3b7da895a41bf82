// Building, initialising and freezing.
#include "train/network.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/model/model_file.h"
#include "core/names.h"

namespace shiftadd::train {

namespace {

void initialise(layers::Vit& model, const TrainConfig& config,
                const std::vector<std::string>& classes, const Say& say) {
  const std::string& path = config.init.checkpoint;
  ModelFile file = load_model(path);
  ModelSpec from = file.spec;
  from.name = model.spec().name;
  if (config.init.adapt) {
    for (const std::string& change :
         layers::adapt_weights(from, model.spec(), config.seed, file.weights))
      say(path + ": " + change);
  } else if (!(from == model.spec())) {
    throw user_error(path, ": holds another network than this run's: ", to_json(file.spec).dump(),
                     " there, ", to_json(model.spec()).dump(),
                     " here. Where only classes or image_size differ, "
                     "set init.adapt to true");
  }
  if (!file.classes.empty() && file.classes.size() == classes.size() && file.classes != classes &&
      file.class_ids != classes)
    say(path + ": its classes have other names than the data's; its head is kept");
  model.load_state_dict(file.weights);
}

void freeze(layers::Vit& model, const std::vector<std::string>& patterns) {
  auto parameters = model.named_parameters();
  std::vector<std::string> names;
  for (const auto& entry : parameters) names.push_back(entry.first);
  for (const std::string& pattern : patterns) {
    bool matched = false;
    for (auto& [name, parameter] : parameters)
      if (matches_pattern(pattern, name)) {
        parameter.set_requires_grad(false);
        matched = true;
      }
    if (!matched)
      throw user_error("train.freeze: '", pattern, "' matches no parameter",
                       did_you_mean(pattern, names),
                       "; use '*' for any run of characters, as in \"blocks.*\"");
  }
  if (std::none_of(parameters.begin(), parameters.end(),
                   [](const auto& entry) { return entry.second.requires_grad(); }))
    throw user_error("train.freeze leaves no parameter to train");
}

}  // namespace

std::unique_ptr<layers::Vit> make_network(const TrainConfig& config, const ModelSpec& spec,
                                          const std::vector<std::string>& classes, bool resumed,
                                          const Say& say) {
  auto model = std::make_unique<layers::Vit>(spec, config.regularisation, config.seed);
  if (!resumed && !config.init.checkpoint.empty()) initialise(*model, config, classes, say);
  freeze(*model, config.train.freeze);
  return model;
}

std::unique_ptr<layers::Vit> make_teacher(const TrainConfig& config, const ModelSpec& spec,
                                          const std::vector<std::string>& classes) {
  const std::string& path = config.train.teacher.checkpoint;
  if (path.empty()) return nullptr;
  const ModelFile file = load_model(path);
  if (file.spec.image_size != spec.image_size || file.spec.in_channels != spec.in_channels)
    throw user_error(path, ": the teacher takes images of ", file.spec.image_size,
                     " pixels, the student of ", spec.image_size, ": both see the same batch");
  if (file.preprocess.mean != config.data.preprocess.mean ||
      file.preprocess.std != config.data.preprocess.std)
    throw user_error(
        path, ": the teacher's normalisation is ", to_json(file.preprocess).dump(),
        ", the student's ", to_json(config.data.preprocess).dump(),
        ": both see the same batch; set data.preprocess.mean and std to the teacher's");
  if (file.spec.classes != spec.classes)
    throw user_error(path, ": the teacher knows ", file.spec.classes, " classes, the student ",
                     spec.classes);
  if (!file.classes.empty() && file.classes != classes && file.class_ids != classes)
    throw user_error(path, ": the teacher's classes have other names than the data's");
  auto teacher = std::make_unique<layers::Vit>(file.spec, layers::VitOptions{}, 0);
  teacher->load_state_dict(file.weights);
  for (auto& [name, parameter] : teacher->named_parameters()) parameter.set_requires_grad(false);
  return teacher;
}

}  // namespace shiftadd::train
