// Plans all stages, trains those that are not finished, and measures the network they start from.
#include "train/stages.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/io/json_field.h"
#include "core/io/json_text.h"
#include "model/latency_report.h"
#include "train/memory_estimate.h"
#include "train/network.h"
#include "train/run_comparison.h"
#include "train/run_data.h"
#include "train/run_folder.h"
#include "train/run_result.h"
#include "train/start.h"

namespace shiftadd::train {
namespace {

namespace fs = std::filesystem;

// Says whether the stage starts from a network that answers for its images: one of their size, with
// a row for each class.
bool starts_whole(const TrainConfig& stage, const std::vector<std::string>& classes) {
  if (stage.init.checkpoint.empty() || stage.init.adapt) return false;
  const ModelFile start = load_model(stage.init.checkpoint);
  return plan_head(stage, start, static_cast<int64_t>(classes.size()), classes).is_whole();
}

// Measures the network that the first stage starts from on the same images; nothing when stopped.
std::optional<RunResult> measure_start(const TrainConfig& config, const ModelSpec& spec,
                                       Reporter& reporter, const std::atomic<bool>& stop) {
  reporter.begin("reading " + config.init.checkpoint);
  const RunData data = open_data(config);
  const auto model = make_start(config, spec, data.train.classes());
  data::Loader loader(data.val, evaluation_options(config, config.out, {}));
  const std::optional<Validation> validation =
      evaluate({.model = *model,
                .set = data.val,
                .loader = loader,
                .name = config.init.checkpoint,
                .report = validation_report(reporter, config.init.checkpoint)},
               stop);
  if (!validation) return std::nullopt;
  return make_result("start", model->spec(), *validation, data.val.digest(),
                     config.init.checkpoint);
}

// Says whether the stage has come to its end. Throws Error (user) if its folder holds another run.
bool is_finished(const TrainConfig& stage) {
  const std::string last = stage.out + "/last.safetensors";
  if (!fs::exists(stage.out + "/result.json") || !fs::exists(last)) return false;
  const Checkpoint saved = load_checkpoint(last);
  require_same_run(last, saved.config, to_text(stage));
  require_same_inputs(last, saved, stage);
  nlohmann::json router;
  double calibrated = 0;
  take_field(parse_json(saved.config, last), "router", router);
  take_field(router, "calibrate", calibrated);
  if (calibrated != stage.router.calibrate) return false;  // its end is to be done again
  return digest_of_input(stage.out + "/model.safetensors") == read_result(stage.out).model;
}

}  // namespace

std::vector<ModelSpec> plan_stages(const TrainConfig& config,
                                   const std::vector<std::string>& classes) {
  std::vector<ModelSpec> specs;
  for (std::size_t i = 0; i < config.stages.size(); ++i) {
    const TrainConfig& stage = config.stages[i];
    try {
      const TrainConfig* before = maker_of(config, i, stage.init.checkpoint);
      const ModelSpec spec = planned_spec(
          stage, static_cast<int64_t>(classes.size()),
          before ? &specs[static_cast<std::size_t>(before - config.stages.data())] : nullptr);
      require_freezable(stage, spec);
      require_training_memory(stage, spec, stage.train.batch);
      if (!stage.router.latency_file.empty() && !routers_of(spec).empty())
        read_latency(stage.router.latency_file, spec);
      if (!maker_of(config, i, stage.train.teacher.checkpoint)) make_teacher(stage, spec, classes);
      specs.push_back(spec);
    } catch (const Error& error) {
      if (error.exit_code() != 2) throw;
      throw user_error("stage ", stage.name, ": ", error.what());
    }
  }
  return specs;
}

StagesResult train_stages(const TrainConfig& given, const TrainOptions& options, Reporter& reporter,
                          bool resume, const std::atomic<bool>& stop) {
  const TrainConfig config = with_start(given, resume ? "auto" : "");
  const auto say = [&](const std::string& line) { reporter.line(line); };
  if (fs::exists(config.out + "/last.safetensors"))
    throw user_error(config.out, ": holds a run without stages: give another --out");
  reporter.begin("reading the data of all stages");
  const std::vector<std::string> classes = open_data(config).train.classes();
  const std::vector<ModelSpec> specs = plan_stages(config, classes);
  std::vector<RunGroup> results;
  for (std::size_t i = 0; i < config.stages.size(); ++i) {
    const TrainConfig& stage = config.stages[i];
    const std::string place =
        concat("stage ", i + 1, " of ", config.stages.size(), ", ", stage.name, ": ");
    if (resume && is_finished(stage)) {
      say(place + "finished earlier");
    } else {
      say(place + stage.out);
      TrainOptions one = options;
      one.resume = resume ? find_resume_point("auto", stage.out).checkpoint : "";
      if (const TrainResult made = train(stage, one, reporter, stop); made.stopped)
        return {.stopped = true,
                .unsaved = made.last.empty() ? stage.name : "",
                .report = {},
                .model = {}};
    }
    const RunResult result = read_result(stage.out);
    results.push_back({result.name, {result}});
  }
  const TrainConfig& first = config.stages.front();
  if (starts_whole(first, classes)) {
    const std::optional<RunResult> start = measure_start(first, specs.front(), reporter, stop);
    if (!start) return {.stopped = true, .unsaved = {}, .report = {}, .model = {}};
    results.insert(results.begin(), {start->name, {*start}});
  } else {
    say("report: the first stage is the baseline, because it starts from no network of its size "
        "and classes");
  }
  return {.stopped = false,
          .unsaved = {},
          .report = compare_results(results),
          .model = config.stages.back().out + "/model.safetensors"};
}

}  // namespace shiftadd::train
