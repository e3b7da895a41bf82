// Builds, initialises and freezes the networks of a run.
#include "train/network.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/io/json_text.h"
#include "core/names.h"
#include "layers/surgery.h"
#include "model/latency_report.h"
#include "model/model_file.h"
#include "train/recipe.h"
#include "train/start.h"

namespace shiftadd::train {

namespace {

// What the weights start as: the checkpoint's, of the spec they are of.
struct Start {
  ModelSpec spec;
  NamedTensors weights;
};

// The weights of config.init, fitted to the sizes of `spec` where that is allowed.
Start read_start(const TrainConfig& config, const ModelSpec& spec,
                 const std::vector<std::string>& classes, const Say& say) {
  ModelSpec model = spec;
  model.shift_add = {};
  const std::string& path = config.init.checkpoint;
  ModelFile file = load_model(path);
  Start start{.spec = model, .weights = {}};
  start.spec.shift_add = file.spec.shift_add;
  const HeadPlan head = plan_head(config, file, model.classes, classes);
  ModelSpec from = file.spec;
  from.name = model.name;
  if (config.init.adapt || config.init.head != InitConfig::Head::kAuto)
    from.classes = model.classes;
  if (config.init.adapt) {
    for (const std::string& change :
         layers::adapt_weights(from, start.spec, config.seed, file.weights))
      say(path + ": " + change);
  } else if (!(from == start.spec)) {
    throw user_error(
        path, ": holds another network than this run's model: ", spec_difference(from, start.spec),
        ". Leave these keys of model out to take the file's; where only classes or "
        "image_size differ, set init.adapt to true");
  }
  if (!head.is_same(file.spec.classes))
    layers::select_head(file.spec, head.rows, config.seed, file.weights);
  say(describe_preprocess(config, file));
  say(head.said);
  start.weights = std::move(file.weights);
  return start;
}

// What a user of these codes may not expect.
std::vector<std::string> cautions(const ModelSpec& spec) {
  std::vector<std::string> lines;
  const auto& blocks = spec.shift_add.blocks;
  const auto any = [&](AttentionKind kind) {
    return std::any_of(blocks.begin(), blocks.end(),
                       [kind](const BlockKinds& block) { return block.attention == kind; });
  };
  const Codes codes = spec.shift_add.codes;
  if (codes == Codes::kUnitBatch && any(AttentionKind::kLinearAdd))
    lines.emplace_back(
        "surgery.codes unit_batch: answers depend on the images beside them and on the batch's "
        "size; shiftadd-infer and shiftadd-convert refuse such a network");
  const bool unit = is_unit(codes);
  if (unit && any(AttentionKind::kSoftmaxAdd))
    lines.push_back(
        concat("surgery.codes ", name_of(codes), " are linear_add's: softmax_add compares signs"));
  return lines;
}

bool skips_first_stage(const ModelSpec& spec) {
  bool shifts = false;
  for (const BlockKinds& block : spec.shift_add.blocks) {
    if (block.attention != AttentionKind::kSoftmax) return false;
    for (const LayerKind kind : {block.qkv, block.proj, block.mlp})
      shifts = shifts || kind != LayerKind::kMultiply;
  }
  return shifts;
}

// The converted network's first weights.
NamedTensors converted(const TrainConfig& config, Start start, const ModelSpec& spec,
                       const std::function<Tensor()>& sample, const Say& say) {
  const double share = aimed_shift_share(config.router, spec);
  for (const std::string& line : layers::describe_surgery(start.spec, spec, share))
    say("surgery: " + line);
  for (const std::string& line : cautions(spec)) say("warning: " + line);
  if (skips_first_stage(spec))
    say("surgery: layers shift, but all attention is still softmax: the second stage without the "
        "first");
  if (config.surgery.rescale)
    for (const std::string& line :
         layers::rescale_attention(start.spec, spec, sample(), start.weights))
      say("surgery: " + line);
  return layers::carry_weights(start.spec, spec, start.weights, config.seed);
}

void freeze(layers::Model& model, const std::vector<std::string>& patterns) {
  for (auto& [name, parameter] : model.named_parameters())
    for (const std::string& pattern : patterns)
      if (matches_pattern(pattern, name)) parameter.set_requires_grad(false);
}

}  // namespace

double aimed_shift_share(const RouterConfig& router, const ModelSpec& spec) {
  if (routers_of(spec).empty()) return kUsualShiftShare;
  if (router.calibrate > 0) return router.calibrate;
  using enum RouterConfig::Balance;
  if (router.balance == kNone) return kUsualShiftShare;
  if (router.balance == kUniform) return 0.5;
  double mult = router.latency[0], shift = router.latency[1];
  if (!router.latency_file.empty()) {
    const std::array<double, 2> measured = read_latency(router.latency_file, spec).total_ms();
    mult = measured[0], shift = measured[1];
  }
  return mult / (mult + shift);
}

void require_freezable(const TrainConfig& config, const ModelSpec& spec) {
  std::vector<std::string> names;
  for (const Parameter& parameter : parameters_of(spec)) names.push_back(parameter.name);
  std::size_t frozen = 0;
  std::vector<bool> matched(config.train.freeze.size());
  for (const std::string& name : names) {
    bool any = false;
    for (std::size_t i = 0; i < matched.size(); ++i)
      if (matches_pattern(config.train.freeze[i], name)) any = matched[i] = true;
    frozen += any;
  }
  for (std::size_t i = 0; i < matched.size(); ++i)
    if (!matched[i])
      throw user_error("train.freeze: '", config.train.freeze[i], "' matches no parameter",
                       did_you_mean(config.train.freeze[i], names),
                       "; use '*' for any run of characters, as in \"blocks.*\"");
  if (frozen == names.size()) throw user_error("train.freeze leaves no parameter to train");
}

ModelSpec planned_spec(const TrainConfig& config, int64_t classes, const ModelSpec* planned) {
  ModelSpec spec = config.model;
  spec.classes = classes;
  if (!config.init.checkpoint.empty()) {
    const ModelSpec start = planned ? *planned : load_model(config.init.checkpoint).spec;
    if (config.surgery.recipe.empty() && start.converted())
      throw user_error(config.init.checkpoint, ": holds a converted network, this run's is plain: ",
                       spec_difference(start, spec),
                       ". surgery.recipe says what it is to be; what the recipe does not name "
                       "stays converted");
    spec.shift_add = start.shift_add;
  }
  if (!config.surgery.recipe.empty()) {
    std::vector<layers::SurgeryStep> steps;
    for (const std::string& line : config.surgery.recipe) steps.push_back(parse_recipe_line(line));
    spec = layers::apply_recipe(spec, config.surgery.options, steps);
  }
  validate(spec);
  return spec;
}

std::unique_ptr<layers::Model> make_network(const TrainConfig& config, const ModelSpec& spec,
                                            const std::vector<std::string>& classes, bool resumed,
                                            const std::function<Tensor()>& sample, const Say& say) {
  auto model = std::make_unique<layers::Model>(spec, config.regularisation, config.seed);
  if (!resumed && !config.init.checkpoint.empty()) {
    Start start = read_start(config, spec, classes, say);
    model->load_state_dict(start.spec == spec
                               ? start.weights
                               : converted(config, std::move(start), spec, sample, say));
  } else if (!resumed && !config.surgery.recipe.empty()) {
    say("surgery: the network starts from random weights; init.checkpoint names a trained one");
  }
  require_freezable(config, spec);
  freeze(*model, config.train.freeze);
  return model;
}

std::unique_ptr<layers::Model> make_start(const TrainConfig& config, const ModelSpec& spec,
                                          const std::vector<std::string>& classes) {
  const Start start = read_start(config, spec, classes, [](const std::string&) {});
  auto model = std::make_unique<layers::Model>(start.spec, layers::ModelOptions{}, config.seed);
  model->load_state_dict(start.weights);
  return model;
}

std::unique_ptr<layers::Model> make_teacher(const TrainConfig& config, const ModelSpec& spec,
                                            const std::vector<std::string>& classes) {
  const std::string& path = config.train.teacher.checkpoint;
  if (path.empty() || config.train.teacher.kind == TeacherConfig::Kind::kNone) return nullptr;
  const ModelFile file = load_model(path);
  if (file.spec.image_size != spec.image_size || file.spec.in_channels != spec.in_channels)
    throw user_error(path, ": the teacher takes images of ", file.spec.in_channels, " x ",
                     file.spec.image_size, " (channels, height, width), the student of ",
                     spec.in_channels, " x ", spec.image_size, ": both see the same batch");
  if (file.preprocess.mean != config.data.preprocess.mean ||
      file.preprocess.std != config.data.preprocess.std)
    throw user_error(
        path, ": the teacher's normalisation is ", json_text(to_json(file.preprocess)),
        ", the student's ", json_text(to_json(config.data.preprocess)),
        ": both see the same batch; set data.preprocess.mean and std to the teacher's");
  if (file.spec.classes != spec.classes)
    throw user_error(path, ": the teacher knows ", file.spec.classes, " classes, the student ",
                     spec.classes);
  if (!file.classes.empty() && file.classes != classes && file.class_ids != classes)
    throw user_error(path, ": the teacher's classes have other names than the data's");
  if (config.train.teacher.features > 0 &&
      (file.spec.depth != spec.depth || file.spec.width != spec.width ||
       file.spec.patch_size != spec.patch_size))
    throw user_error(path, ": the teacher has ", file.spec.depth, " blocks of width ",
                     file.spec.width, " on patches of ", file.spec.patch_size, ", the student ",
                     spec.depth, " of ", spec.width, " on ", spec.patch_size,
                     ": train.teacher.features compares them block by block");
  auto teacher = std::make_unique<layers::Model>(file.spec, layers::ModelOptions{}, 0);
  teacher->load_state_dict(file.weights);
  for (auto& [name, parameter] : teacher->named_parameters()) parameter.set_requires_grad(false);
  return teacher;
}

}  // namespace shiftadd::train
