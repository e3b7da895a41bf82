// Runs the loop over epochs and steps.
#include "train/trainer.h"

#include <cmath>
#include <cstdio>

#include "core/parallel.h"
#include "core/random.h"
#include "train/conversion_steps.h"
#include "train/progress_text.h"
#include "train/run_folder.h"
#include "train/run_header.h"
#include "train/run_parts.h"
#include "train/schedule.h"
#include "train/start.h"
#include "train/training_step.h"

namespace shiftadd::train {

namespace {

constexpr uint64_t kDropStreams = 0x64726f70;  // keeps dropout's numbers apart from the data's

class Run {
 public:
  Run(const TrainConfig& config, const TrainOptions& options, Reporter& reporter,
      const std::atomic<bool>& stop)
      : config_(config),
        options_(options),
        reporter_(reporter),
        stop_(stop),
        say_([this](const std::string& text) { reporter_.line(text); }),
        parts_(config, options.resume, reporter),
        folder_(config, parts_),
        router_(folder_.router(!options.resume.empty())),
        step_(*parts_.model, parts_.teacher.get(), parts_.optimizer, parts_.ema.get(), config.train,
              router_,
              class_weights(config.data, parts_.model->spec().classes, parts_.data.train.labels()),
              stream_of(config.seed, kDropStreams), config.surgery.smooth_codes),
        train_loader_(parts_.data.train, training_options(config, config.out, say_)),
        val_loader_(parts_.data.val, evaluation_options(config, config.out, say_)),
        steps_per_epoch_(
            steps_per_epoch(config, train_loader_.batches(), parts_.data.train.size())) {}

  TrainResult operator()();

 private:
  bool finished() const;
  bool steps_exhausted() const {
    return config_.train.max_steps > 0 && state_.step >= config_.train.max_steps;
  }
  int64_t batches_per_epoch() const { return steps_per_epoch_ * config_.train.accumulate; }
  bool begin();
  bool train_epoch();
  std::optional<double> make_step();
  Error diverged(double loss, double norm) const;
  void after_step(double loss, double lr, double norm, double images_per_second);
  bool end_epoch();
  std::optional<Validation> validate();
  bool judge(double top1);
  bool measure();
  bool finish();

  const TrainConfig& config_;
  const TrainOptions& options_;
  Reporter& reporter_;
  const std::atomic<bool>& stop_;
  Say say_;
  RunParts parts_;
  RunFolder folder_;
  RouterConfig router_;
  TrainingStep step_;
  data::Loader train_loader_, val_loader_;
  int64_t steps_per_epoch_;
  TrainingState state_;
  std::optional<Validation> validation_;  // of the present weights, if they have been evaluated
};

bool Run::finished() const {
  const LoopConfig& loop = config_.train;
  // Judged where an evaluation was due, so that the last epoch always has one.
  const bool stalled = loop.early_stop.patience > 0 && state_.early_top1 >= 0 &&
                       state_.epoch % loop.eval_every == 0 &&
                       state_.epoch - state_.early_epoch >= loop.early_stop.patience;
  return state_.epoch >= loop.epochs || steps_exhausted() || stalled;
}

/// Loads the checkpoint to go on from, or makes sure that nothing is overwritten and readies the
/// converted network. False when it was stopped before there was anything to save.
bool Run::begin() {
  if (config_.train.precision == Precision::kBf16 && !multiplies_bf16(config_.train)) say_(kNoBf16);
  if (options_.resume.empty()) {
    folder_.begin();
    if (config_.surgery.transfer.steps > 0 && config_.init.checkpoint.empty()) {
      say_("surgery.transfer: there is no init.checkpoint to learn the attention of");
    } else if (config_.surgery.transfer.steps > 0) {
      if (!run_transfer(config_, parts_.data, *parts_.model, reporter_, stop_)) return false;
      if (parts_.ema) parts_.ema->restart();
    }
  } else {
    state_ = folder_.resume(options_.resume, say_);
  }
  folder_.open_log(state_, options_.version);
  return true;
}

TrainResult Run::operator()() {
  if (!begin()) return folder_.result(state_, true);
  const bool was_cut = state_.batch > 0 && steps_exhausted();
  bool interrupted = was_cut && !end_epoch();
  while (!interrupted && !finished()) interrupted = !train_epoch() || !end_epoch();
  if (interrupted) {
    folder_.save("last", state_);
    return folder_.result(state_, true);
  }
  if (state_.epoch < config_.train.epochs && !steps_exhausted())
    say_(concat("train.early_stop: top-1 has not risen since epoch ", state_.early_epoch));
  const bool stopped = !finish();
  return folder_.result(state_, stopped);
}

/// Calibrates, evaluates and writes the final weights; `last` keeps those from before, so that more
/// steps can follow. False when it was stopped: resumed, it is done again.
bool Run::finish() {
  // It says what the end was made with.
  if (folder_.config_changed()) folder_.save("last", state_);
  const EmaScope averaged(parts_.ema.get());
  const ModelSpec& spec = parts_.model->spec();
  bool calibrated = false;
  if (config_.router.calibrate > 0 &&
      (routers_of(spec).empty() || spec.shift_add.gate == GateKind::kFixedSplit)) {
    say_("router.calibrate: the network has no router");
  } else if (config_.router.calibrate > 0) {
    run_calibration(config_, parts_.data, *parts_.model, reporter_);
    validation_.reset();
    calibrated = true;
  }
  if (!validation_ && !measure()) return false;
  if (calibrated) {
    char text[80];
    std::snprintf(text, sizeof text,
                  "calibrated: top-1 %.2f %% (the epochs' figures are from before)",
                  validation_->answers.top1());
    say_(text);
  }
  say_(folder_.save_final(state_, *validation_, calibrated));
  return true;
}

/// The rest of the epoch at work, or up to max_steps. False when it was stopped.
bool Run::train_epoch() {
  validation_.reset();
  train_loader_.start(state_.epoch, state_.batch);
  while (state_.batch < batches_per_epoch() && !steps_exhausted()) {
    if (stop_) return false;
    const double start = steady_seconds();
    const int64_t images = state_.images;
    const int64_t steps_done = state_.batch / config_.train.accumulate;
    const double epoch = static_cast<double>(state_.epoch) +
                         static_cast<double>(steps_done) / static_cast<double>(steps_per_epoch_);
    const double lr = learning_rate(config_.train.schedule, config_.train.optimizer.lr,
                                    config_.train.epochs, epoch);
    const std::optional<double> made = make_step();
    if (!made) break;
    const double loss = *made, norm = step_.update(lr);
    ++state_.step;
    state_.lr = lr;
    if (!std::isfinite(loss) || !std::isfinite(norm)) throw diverged(loss, norm);
    const double seconds = steady_seconds() - start;
    state_.seconds += seconds;
    state_.loss_sum += loss;
    ++state_.loss_count;
    after_step(loss, lr, norm, static_cast<double>(state_.images - images) / seconds);
  }
  if (state_.loss_count == 0)
    throw user_error(parts_.data.train.path(), ": no training image of epoch ", state_.epoch + 1,
                     " could be read (", train_loader_.broken_count(),
                     " broken): list them with --check-data");
  return true;
}

Error Run::diverged(double loss, double norm) const {
  const std::string last = folder_.last();
  return failure(
      "step ", state_.step, " of epoch ", state_.epoch + 1, ", learning rate ", state_.lr,
      ": the loss is ", loss, " and the gradient norm ", norm,
      ": training has diverged. Run with --anomaly to learn which operation made the first "
      "NaN or infinity; a lower train.optimizer.lr or train.clip_norm may prevent it",
      last.empty() ? "" : ". " + last + " keeps the weights last saved");
}

/// Gradients of one optimizer step; returns the mean loss of its batches, nothing at the epoch's
/// end.
std::optional<double> Run::make_step() {
  double loss = 0;
  int64_t batches = 0;
  for (; batches < config_.train.accumulate; ++batches) {
    const std::optional<data::Batch> batch = train_loader_.next();
    if (!batch) break;  // batches whose images are all broken are left out: an epoch may be short
    state_.batch = batch->index + 1;
    state_.images += static_cast<int64_t>(batch->labels.size());
    const auto stream = static_cast<uint64_t>(state_.step * config_.train.accumulate + batches);
    const double progress =
        static_cast<double>(state_.step) /
        static_cast<double>(std::max<int64_t>(steps_per_epoch_ * config_.train.epochs, 1));
    if (options_.anomaly) {
      const autograd::AnomalyGuard guard;
      loss += step_.accumulate(*batch, stream, progress);
    } else {
      loss += step_.accumulate(*batch, stream, progress);
    }
  }
  if (batches < config_.train.accumulate) state_.batch = batches_per_epoch();
  if (batches == 0) return std::nullopt;
  return loss / static_cast<double>(batches);
}

void Run::after_step(double loss, double lr, double norm, double images_per_second) {
  const int64_t in_epoch = state_.batch / config_.train.accumulate;
  int64_t left = steps_per_epoch_ * (config_.train.epochs - state_.epoch) - in_epoch;
  if (config_.train.max_steps > 0) left = std::min(left, config_.train.max_steps - state_.step);
  const double step_seconds = state_.seconds / static_cast<double>(state_.loss_count);
  const TrainingProgress at = {
      .epoch = state_.epoch + 1,
      .epochs = config_.train.epochs,
      .step = in_epoch,
      .steps_per_epoch = steps_per_epoch_,
      .loss = loss,
      .lr = lr,
      .images_per_second = static_cast<double>(state_.images) / state_.seconds,
      .seconds_left = static_cast<double>(left) * step_seconds};
  const bool due = in_epoch == steps_per_epoch_ || in_epoch % config_.log.every == 0;
  reporter_.at(progress_bar(at), progress_text(at), due);
  if (state_.step % config_.log.every == 0)
    folder_.log(StepRecord{.step = state_.step,
                           .epoch = state_.epoch + 1,
                           .loss = loss,
                           .lr = lr,
                           .gradient_norm = norm,
                           .images_per_second = images_per_second,
                           .routers = step_.routers()});
  folder_.save_if_due(state_);
}

/// Evaluates, logs, and writes the checkpoints. False when it was stopped before the evaluation was
/// done.
bool Run::end_epoch() {
  const LoopConfig& loop = config_.train;
  const bool whole = state_.batch >= batches_per_epoch();
  // max_steps inside an epoch: `last` keeps the position, so that the run can be continued past it
  // as if it had never been cut; without more steps its evaluation is made again.
  if (!whole) folder_.save("last", state_);
  const int64_t epochs_done = state_.epoch + (whole ? 1 : 0);
  std::optional<Validation> evaluation;
  if (!whole || steps_exhausted() || epochs_done % loop.eval_every == 0 ||
      epochs_done == loop.epochs) {
    evaluation = validate();
    if (!evaluation) return false;
  }
  const EpochRecord record{
      .epoch = state_.epoch + 1,
      .step = state_.step,
      .lr = state_.lr,
      .train_loss = state_.loss_sum / static_cast<double>(std::max<int64_t>(state_.loss_count, 1)),
      .seconds = state_.seconds,
      .images_per_second =
          state_.seconds > 0 ? static_cast<double>(state_.images) / state_.seconds : 0,
      .validation = evaluation};
  folder_.log(record);
  say_(epoch_text(record, loop.epochs, train_loader_.broken_count() + val_loader_.broken_count()));
  if (evaluation)
    for (const std::string& warning :
         collapsed_routers(parts_.model->spec(), evaluation->shift_shares))
      say_(warning);
  const bool best = evaluation && judge(evaluation->answers.top1());
  if (!whole) {
    if (best) folder_.save("best", state_);
    return true;
  }
  state_.epoch = epochs_done;
  state_.batch = state_.loss_count = state_.images = 0;
  state_.loss_sum = state_.seconds = 0;
  folder_.save_epoch(state_, best);
  return true;
}

/// Notes a top-1 that was reached; whether it is the best so far.
bool Run::judge(double top1) {
  if (state_.early_top1 < 0 || top1 > state_.early_top1 + config_.train.early_stop.min_delta) {
    state_.early_top1 = top1;
    state_.early_epoch = state_.epoch + 1;
  }
  if (top1 <= state_.best_top1) return false;
  state_.best_top1 = top1;
  state_.best_epoch = state_.epoch + 1;
  return true;
}

std::optional<Validation> Run::validate() {
  const EmaScope averaged(parts_.ema.get());
  return measure() ? validation_ : std::nullopt;
}

/// Evaluates the present weights into validation_ and the state. False when it was stopped.
bool Run::measure() {
  validation_ =
      evaluate({.model = *parts_.model,
                .set = parts_.data.val,
                .loader = val_loader_,
                .name = concat("the network of ", config_.out, " after step ", state_.step),
                .report = validation_report(reporter_)},
               stop_);
  if (!validation_) return false;
  const Evaluation& answers = validation_->answers;
  if (answers.images() == 0)
    throw user_error(parts_.data.val.path(), ": no validation image could be read (",
                     val_loader_.broken_count(), " broken): list them with --check-data");
  state_.last_images = answers.images();
  state_.last_top1 = answers.top1();
  state_.last_top5 = answers.top5();
  state_.last_loss = answers.loss();
  folder_.write_per_class(answers);
  return true;
}

}  // namespace

TrainResult train(const TrainConfig& given, const TrainOptions& options, Reporter& reporter,
                  const std::atomic<bool>& stop) {
  const TrainConfig config = with_start(given, options.resume);
  set_num_threads(config.threads > 0 ? config.threads : available_cores());
  reporter.line(folder_line(config));
  reporter.begin("reading the data");
  return Run(config, options, reporter, stop)();
}

}  // namespace shiftadd::train
