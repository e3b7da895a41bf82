// The complete state of a run in one safetensors file, which is a model file, too.
#pragma once

#include <optional>
#include <string>

#include "model/model_file.h"
#include "train/optimizer.h"
#include "train/run_log.h"

namespace shiftadd::train {

struct TrainConfig;

/// Everything that is neither weights nor optimizer. Random numbers are counter-based: seed, epoch,
/// batch and step are their whole state, and the sampler's.
struct TrainingState {
  int64_t step = 0;        // optimizer steps done
  int64_t epoch = 0;       // epochs done
  int64_t batch = 0;       // batches of the epoch at work that are used up
  double loss_sum = 0;     // over the steps of the epoch at work
  int64_t loss_count = 0;  // steps of the epoch at work
  int64_t images = 0;      // trained on in the epoch at work
  double seconds = 0;      // training time of the epoch at work
  double lr = 0;           // of the last step
  double best_top1 = -1;   // percent; -1: not evaluated yet
  int64_t best_epoch = 0;  // at whose end it was measured, the first is 1
  double early_top1 =
      -1;  // early stop's reference: the last top-1 that beat the one before by min_delta
  int64_t early_epoch = 0;
  double last_top1 = 0, last_top5 = 0, last_loss = 0;  // of the last evaluation
  int64_t last_images = 0;                             // that it could read
  LogPosition log;
};

/// In the file, the top level holds the weights that are evaluated (the averages where EMA is on),
/// so that shiftadd-infer runs a checkpoint as it is. "train.NAME": the weights being trained,
/// where EMA is on. "optimizer.m.NAME", "optimizer.v.NAME", "optimizer.buffer.NAME": the optimizer.
/// Metadata beside that of a model: "shiftadd.training" (TrainingState as JSON), "shiftadd.config"
/// (to_text), "shiftadd.data" (digest), "shiftadd.isa", "shiftadd.init" and "shiftadd.teacher"
/// (SHA-256 of those files, or empty), "shiftadd.weights".
struct Checkpoint {
  ModelFile model;         // evaluated weights
  NamedTensors trained;    // "train.NAME"; empty without EMA
  NamedTensors optimizer;  // "optimizer...."
  TrainingState state;
  std::string config, data_digest, isa;
  std::string init_digest = {}, teacher_digest = {};
  std::string weights = {};  // "shiftadd.weights": which ones the model has (weights_text)
};

/// Which weights a file holds: "last, after epoch 2 of 3 (step 54), EMA 0.999". `kind`: "last",
/// "best"; an average where config has one.
std::string weights_text(const std::string& kind, const TrainingState& state,
                         const TrainConfig& config);

/// The model alone, as save_model writes it, saying which weights it holds.
void save_model_of_run(const std::string& path, const ModelFile& model, const std::string& weights);

/// SHA-256 of a file the run reads at its start; "" for none, or one that is no longer there.
std::string digest_of_input(const std::string& path);

/// Atomic: on any failure the file at `path` stays as it was. Throws Error (failure).
void save_checkpoint(const std::string& path, const Checkpoint& checkpoint);
/// Throws Error (user) when `path` is no training checkpoint or one of its states is missing; of a
/// damaged file it names the newest whole checkpoint beside it, and how to go on from that one.
Checkpoint load_checkpoint(const std::string& path);
/// The checkpoint inside a file that was read from `path`.
Checkpoint checkpoint_in(const TensorFile& file, const std::string& path);

/// Throws Error (user) naming every option that differs between the saved configuration and this
/// one and would change the result: all but names and folders of data, init (the checkpoint has its
/// weights), threads, workers, caches, logs, checkpoints and max_steps.
void require_same_run(const std::string& checkpoint_path, const std::string& saved_config,
                      const std::string& config);
/// Throws Error (user) when the file at config.init.checkpoint or the teacher's holds something
/// else than what the run began with. Files that are gone are not missed.
void require_same_inputs(const std::string& checkpoint_path, const Checkpoint& saved,
                         const TrainConfig& config);

}  // namespace shiftadd::train
