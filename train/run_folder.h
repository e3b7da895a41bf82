// The folder of one run: its lock, logs, manifest, checkpoints and final model.
#pragma once

#include <memory>
#include <string>

#include "layers/model.h"
#include "train/checkpoint.h"
#include "train/config.h"
#include "train/ema.h"
#include "train/evaluation.h"
#include "train/network.h"
#include "train/optimizer.h"
#include "train/run_data.h"
#include "train/run_lock.h"
#include "train/run_log.h"

namespace shiftadd::train {

/// What a checkpoint holds beside the TrainingState. All of it outlives the folder.
struct RunParts {
  const RunData& data;
  layers::Model& model;
  Optimizer& optimizer;
  Ema* ema;  // null: none
};

class RunFolder {
 public:
  /// Creates and locks config.out (RunLock says what it throws). `config` outlives the folder.
  RunFolder(const TrainConfig& config, const RunParts& parts);

  /// Makes sure that nothing is overwritten, and notes the files the run starts from. Throws Error
  /// (user) where the folder holds a run.
  void begin();
  /// Loads a checkpoint of this very run into the parts, and returns where it stood. Throws Error
  /// (user): another configuration, other data, other starting files.
  TrainingState resume(const std::string& checkpoint, const Say& say);
  /// Writes the manifest and opens the log files where `state` left them.
  void open_log(const TrainingState& state, const std::string& version);
  RunLog& log() { return *log_; }

  std::string path(const std::string& name) const { return config_.out + "/" + name; }
  /// Since the checkpoint that was resumed, in what may change.
  bool config_changed() const { return config_changed_; }
  /// FOLDER/NAME.safetensors; `state` without its log position. Throws Error (failure).
  void save(const std::string& name, const TrainingState& state);
  /// `last`, where it is five minutes old.
  void save_if_due(const TrainingState& state);
  /// The checkpoint that config.checkpoint asks for after this epoch, if any; one that is to go
  /// is removed.
  void save_numbered(const TrainingState& state);
  /// model.safetensors of the weights in the model now, and result.json of how they were measured.
  /// Returns which weights those are.
  std::string save_final(const TrainingState& state, const Validation& validation,
                         bool calibrated) const;

 private:
  ModelFile model_file() const;

  const TrainConfig& config_;
  RunParts parts_;
  RunLock lock_;
  std::string init_digest_, teacher_digest_;
  std::unique_ptr<RunLog> log_;
  double saved_at_ = 0;
  bool config_changed_ = false;
};

/// Seconds since 1970.
double wall_seconds();

/// Where `resume` ("auto", a run's folder, or one of its checkpoint files) points: the run's folder
/// and the checkpoint, which is empty for "auto" in a folder without one. `out` is the configured
/// folder. Throws Error (user) when a named folder holds no checkpoint.
struct ResumePoint {
  std::string folder, checkpoint;
};
ResumePoint find_resume_point(const std::string& resume, const std::string& out);

}  // namespace shiftadd::train
