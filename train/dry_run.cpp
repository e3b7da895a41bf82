// Measures instead of guessing: memory and time are those of real steps.
#include "train/dry_run.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "core/memory.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "data/check.h"
#include "data/synthetic.h"
#include "layers/surgery.h"
#include "model/op_count.h"
#include "train/ema.h"
#include "train/losses.h"
#include "train/memory_estimate.h"
#include "train/network.h"
#include "train/run_data.h"
#include "train/run_parts.h"
#include "train/stages.h"
#include "train/start.h"
#include "train/training_step.h"

namespace shiftadd::train {

namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string describe_batch(const data::Batch& batch) {
  const auto values = batch.images.span<float>();
  double sum = 0, squares = 0;
  for (const float value : values) {
    sum += value;
    squares += static_cast<double>(value) * value;
  }
  const double mean = sum / static_cast<double>(values.size());
  const double deviation =
      std::sqrt(std::max(0.0, squares / static_cast<double>(values.size()) - mean * mean));
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  std::string text = concat("first batch: images ", batch.images.shape(), ", mean ", mean,
                            ", deviation ", deviation, ", from ", *low, " to ", *high, "; labels");
  for (std::size_t i = 0; i < std::min<std::size_t>(8, batch.labels.size()); ++i)
    text += " " + std::to_string(batch.labels[i]);
  return text + (batch.labels.size() > 8 ? " ...\n" : "\n");
}

// Its layers and what they cost; a converted one in multiplications, additions and shifts.
std::string describe_network(const layers::Model& model, double shift_share) {
  const ModelSpec& spec = model.spec();
  const std::string parameters = concat("parameters: ", count_parameters(spec));
  if (!spec.converted()) {
    const MacCount macs = count_macs(spec);
    return concat(layers::summary(model.network()), parameters, "; MACs per image: ", macs.total(),
                  " (", macs.attention, " of them in attention)\n");
  }
  const std::vector<double> shares(routers_of(spec).size(), shift_share);
  std::string text = to_text(count_operations(spec, shares)) + parameters + "\n";
  if (!shares.empty()) {
    char line[80];
    std::snprintf(line, sizeof line, "counted with %.0f %% of tokens shifted by routers\n",
                  100 * shift_share);
    text += line;
  }
  return text;
}

std::string dry_run_of_stages(const TrainConfig& config) {
  const std::vector<std::string> classes = open_data(config).train.classes();
  std::string report;
  const std::vector<ModelSpec> specs = plan_stages(config, classes);
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const TrainConfig& stage = config.stages[i];
    report +=
        concat("stage ", i + 1, " of ", specs.size(), ", ", stage.name, ": ", stage.out, "\n");
    if (i == 0) {
      report += dry_run(stage);
      continue;
    }
    const double share = aimed_shift_share(stage.router, specs[i]);
    for (const std::string& line : layers::describe_surgery(specs[i - 1], specs[i], share))
      report += "surgery: " + line + "\n";
    report += "no step is tried: it starts from weights that the stage before makes\n";
  }
  return report;
}

}  // namespace

std::string dry_run(const TrainConfig& given) {
  const TrainConfig config = with_start(given);
  if (!config.stages.empty()) return dry_run_of_stages(config);
  constexpr int kSteps = 3;
  set_num_threads(config.threads > 0 ? config.threads : available_cores());
  std::string report;
  const Say say = [&](const std::string& line) { report += line + "\n"; };
  if (config.train.precision == Precision::kBf16 && !multiplies_bf16(config.train)) say(kNoBf16);
  const RunData data = open_data(config);
  const ModelSpec spec = planned_spec(config, static_cast<int64_t>(data.train.classes().size()));
  require_training_memory(config, spec, data.train.size());
  const auto model = make_network(
      config, spec, data.train.classes(), false, [&] { return sample_images(config, data.train); },
      say);
  const auto teacher = make_teacher(config, spec, data.train.classes());
  report += describe_network(*model, aimed_shift_share(config.router, spec));
  report += concat("data: ", data.train.size(), " training images, ", data.val.size(),
                   " validation images, ", spec.classes, " classes\n");

  Optimizer optimizer(config.train.optimizer, model->named_parameters(), parameters_of(spec));
  const auto ema = config.train.ema_decay > 0
                       ? std::make_unique<Ema>(model->named_parameters(), config.train.ema_decay)
                       : nullptr;
  TrainingStep step(*model, teacher.get(), optimizer, ema.get(), config.train, config.router,
                    class_weights(config.data, spec.classes, data.train.labels()), config.seed,
                    config.surgery.smooth_codes);
  data::LoaderOptions options = training_options(config, config.out, say);
  if (options.broken == data::BrokenPolicy::kQuarantine) options.broken = data::BrokenPolicy::kSkip;
  data::Loader loader(data.train, options);
  const int64_t epoch_steps = steps_per_epoch(config, loader.batches(), data.train.size());
  loader.start(0);
  std::vector<double> seconds;
  std::optional<data::Batch> batch = loader.next();
  if (batch) report += describe_batch(*batch);
  for (int i = 0; batch && i < kSteps; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const double loss = step.accumulate(*batch, static_cast<uint64_t>(i), 0);
    step.update(0);
    if (!std::isfinite(loss))
      throw failure("the loss of a batch is ", loss, " before any step: see --anomaly");
    if (i == 0) report += concat("loss of the first batch: ", loss, "\n");
    if (auto another = loader.next()) batch = std::move(another);
    seconds.push_back(seconds_since(start));
  }
  const double step_seconds = *std::min_element(seconds.begin(), seconds.end());
  const double epoch_seconds =
      step_seconds * static_cast<double>(epoch_steps * config.train.accumulate);
  report += concat("memory: ", memory_stats().peak >> 20, " MiB of tensors at the peak of a step, ",
                   peak_rss_bytes() >> 20, " MiB resident so far\n");
  report += concat("time: ", step_seconds, " s for a batch of ", config.train.batch, ", about ",
                   duration_text(epoch_seconds), " per epoch of ", epoch_steps, " steps, ",
                   duration_text(epoch_seconds * static_cast<double>(config.train.epochs)),
                   " for all ", config.train.epochs, " epochs, evaluation not included\n");
  return report;
}

DataCheck check_run_data(
    const TrainConfig& config,
    const std::function<void(const std::string&, int64_t, int64_t)>& progress) {
  set_num_threads(config.threads > 0 ? config.threads : available_cores());
  if (config.data.synthetic)
    data::write_synthetic(config.data.synthetic->folder, config.data.synthetic->options);
  DataCheck check;
  const auto read = [&](const std::string& path) {
    const data::ImageFolder set = data::ImageFolder::open(path, data::OddFiles::kList);
    const data::DataReport report = data::check_data(
        set, config.data.limits, [&](int64_t done, int64_t all) { progress(path, done, all); });
    for (const std::string& line : report.lines) check.text += line + "\n";
    check.text += concat(path, ": ", report.images, " images in ", set.classes().size(),
                         " classes, ", report.broken, " broken, ", report.odd, " odd, ",
                         report.ignored, " other files ignored\n");
    check.broken += report.broken;
    return set;
  };
  const data::ImageFolder train = read(config.data.train);
  if (!config.data.val.empty()) {
    const data::ImageFolder val = read(config.data.val);
    try {
      data::require_same_classes(train, val);
    } catch (const Error& difference) {
      check.mismatch = difference.what();
    }
  }
  return check;
}

}  // namespace shiftadd::train
