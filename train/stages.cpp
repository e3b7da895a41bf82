// See stages.h.
#include "train/stages.h"

#include <filesystem>

#include "core/io/files.h"
#include "core/parallel.h"
#include "train/network.h"
#include "train/run_data.h"
#include "train/run_result.h"

namespace shiftadd::train {
namespace {

namespace fs = std::filesystem;

// The network the first stage starts from, measured on the same images; nothing when stopped.
std::optional<RunResult> measure_start(const TrainConfig& config, const std::atomic<bool>& stop) {
  const RunData data = open_data(config);
  const ModelFile start = load_model(config.init.checkpoint);
  layers::Vit model(start.spec, {}, 0);
  model.load_state_dict(start.weights);
  data::Loader loader(data.val, evaluation_options(config, config.out, {}));
  const std::optional<Validation> validation = evaluate(model, loader, stop);
  if (!validation) return std::nullopt;
  return make_result("start", start.spec, *validation);
}

// Whether the stage has come to its end. Throws Error (user) when its folder holds another run.
bool is_finished(const TrainConfig& stage) {
  const std::string last = stage.out + "/last.safetensors";
  if (!fs::exists(stage.out + "/result.json") || !fs::exists(last)) return false;
  require_same_run(last, load_checkpoint(last).config, to_text(stage));
  return true;
}

}  // namespace

StagesResult train_stages(const TrainConfig& config, const TrainOptions& options, bool resume,
                          const std::atomic<bool>& stop) {
  const auto say = [&](const std::string& line) { options.print(line + "\n"); };
  std::vector<RunResult> results;
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
      if (train(stage, one, stop).stopped) return {.stopped = true, .report = {}, .model = {}};
    }
    results.push_back(read_result(stage.out));
  }
  const TrainConfig& first = config.stages.front();
  if (!first.init.checkpoint.empty() && !first.init.adapt) {
    const std::optional<RunResult> start = measure_start(first, stop);
    if (!start) return {.stopped = true, .report = {}, .model = {}};
    results.insert(results.begin(), *start);
  }
  StagesResult result{.stopped = false,
                      .report = compare_results(results),
                      .model = config.stages.back().out + "/model.safetensors"};
  write_file(config.out + "/report.md", result.report);
  return result;
}

}  // namespace shiftadd::train
