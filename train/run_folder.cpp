// Writes logs, checkpoints and the final model, and loads a checkpoint to go on from.
#include "train/run_folder.h"

#include <chrono>
#include <cstdio>
#include <filesystem>

#include "core/io/files.h"
#include "core/progress.h"
#include "model/latency_report.h"
#include "train/manifest.h"
#include "train/run_result.h"
#include "train/training_step.h"

namespace shiftadd::train {
namespace {

constexpr double kSaveSeconds = 300;  // a killed run loses at most this much work

// Since 1970.
double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

RunFolder::RunFolder(const TrainConfig& config, RunParts& parts)
    : config_(config), parts_(parts), lock_(config.out) {}

RouterConfig RunFolder::router(bool resumed) const {
  RouterConfig router = config_.router;
  if (!router.latency_file.empty() && resumed) router.latency_file = path("latency.json");
  return router;
}

void RunFolder::begin() {
  if (!last().empty())
    throw user_error(config_.out,
                     ": already holds a run; go on with it by --resume auto, give another "
                     "--out, or remove the folder");
  init_digest_ = digest_of_input(config_.init.checkpoint);
  teacher_digest_ = digest_of_input(config_.train.teacher.checkpoint);
  const ModelSpec& spec = parts_.model->spec();
  if (const std::string& file = config_.router.latency_file;
      !file.empty() && !routers_of(spec).empty())
    write_latency(path("latency.json"), read_latency(file, spec));
}

TrainingState RunFolder::resume(const std::string& checkpoint, const Say& say) {
  const Checkpoint saved = load_checkpoint(checkpoint);
  require_same_run(checkpoint, saved.config, to_text(config_));
  require_same_inputs(checkpoint, saved, config_);
  config_changed_ = saved.config != to_text(config_);
  init_digest_ = saved.init_digest;
  teacher_digest_ = saved.teacher_digest;
  if (saved.data_digest != parts_.data.digest)
    throw user_error(checkpoint,
                     ": the run was made on other data (a file was added, removed or "
                     "resized since): resuming would not give the result of an uninterrupted run");
  if (saved.isa != kernels_of(config_.train))
    say("warning: the run was begun with " + saved.isa + " kernels and goes on with " +
        kernels_of(config_.train) +
        ": its weights will differ in rounding from those of an uninterrupted run");
  NamedTensors weights = saved.model.weights;
  if (parts_.ema) {
    parts_.ema->load_state(weights);
    weights.clear();
    for (const auto& [name, tensor] : saved.trained)
      weights.emplace_back(name.substr(std::string_view("train.").size()), tensor);
  }
  parts_.model->load_state_dict(weights);
  parts_.optimizer.load_state(saved.optimizer, saved.state.step);
  say("resumed from " + checkpoint + " at step " + std::to_string(saved.state.step));
  return saved.state;
}

void RunFolder::open_log(const TrainingState& state, const std::string& version) {
  write_manifest(config_.out, config_, parts_.data, version, state.step);
  log_ = std::make_unique<RunLog>(config_.out, state.log, config_.log.tensorboard, wall_seconds());
  saved_at_ = steady_seconds();
}

void RunFolder::log(const StepRecord& record) { log_->write(record, wall_seconds()); }
void RunFolder::log(const EpochRecord& record) { log_->write(record, wall_seconds()); }

void RunFolder::write_per_class(const Evaluation& answers) const {
  write_file(path("per_class.csv"), answers.per_class_csv(parts_.data.val.classes()));
}

ModelFile RunFolder::model_file() const {
  return {.spec = parts_.model->spec(),
          .preprocess = config_.data.preprocess,
          .classes = parts_.data.train.classes(),
          .class_ids = {},
          .weights = parts_.model->state_dict()};
}

void RunFolder::save(const std::string& name, const TrainingState& state) {
  Checkpoint checkpoint{.model = {},
                        .trained = {},
                        .optimizer = parts_.optimizer.state(),
                        .state = state,
                        .config = to_text(config_),
                        .data_digest = parts_.data.digest,
                        .isa = kernels_of(config_.train),
                        .init_digest = init_digest_,
                        .teacher_digest = teacher_digest_,
                        .weights = weights_text(name == "best" ? "best" : "last", state, config_)};
  checkpoint.state.log = log_->position();
  if (parts_.ema)
    for (const auto& [weight, tensor] : parts_.model->state_dict())
      checkpoint.trained.emplace_back("train." + weight, tensor);
  const EmaScope averaged(parts_.ema.get());
  checkpoint.model = model_file();
  save_checkpoint(path(name + ".safetensors"), checkpoint);
  if (name == "last") saved_at_ = steady_seconds();
}

void RunFolder::save_if_due(const TrainingState& state) {
  if (steady_seconds() - saved_at_ > kSaveSeconds) save("last", state);
}

void RunFolder::save_numbered(const TrainingState& state) {
  const auto [every, keep] = config_.checkpoint;
  if (every == 0 || state.epoch % every != 0) return;
  const auto name = [](int64_t epoch) {
    char text[32];
    std::snprintf(text, sizeof text, "epoch_%03lld", static_cast<long long>(epoch));
    return std::string(text);
  };
  save(name(state.epoch), state);
  if (const int64_t old = state.epoch - keep * every; keep > 0 && old > 0)
    std::filesystem::remove(path(name(old) + ".safetensors"));
}

void RunFolder::save_epoch(const TrainingState& state, bool best) {
  if (best) save("best", state);
  save_numbered(state);
  // After the others: a run killed between them does this epoch again, and misses none.
  save("last", state);
}

std::string RunFolder::save_final(const TrainingState& state, const Validation& validation,
                                  bool calibrated) const {
  const std::string model = path("model.safetensors");
  const std::string weights =
      weights_text("last", state, config_) + (calibrated ? ", routers calibrated" : "");
  save_model_of_run(model, model_file(), weights);
  RunResult result =
      make_result(config_.name, parts_.model->spec(), validation, parts_.data.val.digest(), model);
  result.weights = weights;
  write_result(config_.out, result);
  return model + ": " + weights;
}

std::string RunFolder::last() const {
  const std::string checkpoint = path("last.safetensors");
  return std::filesystem::exists(checkpoint) ? checkpoint : "";
}

TrainResult RunFolder::result(const TrainingState& state, bool stopped) const {
  return {.stopped = stopped,
          .state = state,
          .validation_images = state.last_images,
          .last = last(),
          .best = state.best_top1 >= 0 ? path("best.safetensors") : "",
          .model = stopped ? "" : path("model.safetensors")};
}

ResumePoint find_resume_point(const std::string& resume, const std::string& out) {
  namespace fs = std::filesystem;
  if (resume.empty()) return {out, ""};
  const std::string folder = resume == "auto" ? out : resume;
  if (resume != "auto" && fs::is_regular_file(folder)) {
    const std::string parent = fs::path(folder).parent_path().string();
    return {parent.empty() ? "." : parent, folder};
  }
  const std::string checkpoint = folder + "/last.safetensors";
  if (fs::exists(checkpoint)) return {folder, checkpoint};
  if (resume == "auto") return {folder, ""};
  throw user_error(resume, ": no last.safetensors inside: expected the folder of an earlier run");
}

}  // namespace shiftadd::train
