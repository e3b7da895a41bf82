// The folder of one run: its lock, logs, manifest, checkpoints and result. Everything that a run
// writes goes through it.
#pragma once

#include <memory>
#include <string>

#include "train/checkpoint.h"
#include "train/config.h"
#include "train/evaluation.h"
#include "train/network.h"
#include "train/run_lock.h"
#include "train/run_log.h"
#include "train/run_parts.h"
#include "train/trainer.h"

namespace shiftadd::train {

class RunFolder {
 public:
  /// Creates and locks config.out (RunLock says what it throws). Both outlive the folder.
  RunFolder(const TrainConfig& config, RunParts& parts);

  /// config.router with the file of the run's latencies: a run keeps those it began with.
  RouterConfig router(bool resumed) const;
  /// Makes sure that nothing is overwritten, notes the files the run starts from, and keeps its
  /// latencies. Throws Error (user) where the folder holds a run.
  void begin();
  /// Loads a checkpoint of this very run into the parts, and returns where it stood. Throws Error
  /// (user): another configuration, other data, other starting files.
  TrainingState resume(const std::string& checkpoint, const Say& say);
  /// Writes the manifest and opens the log files where `state` left them.
  void open_log(const TrainingState& state, const std::string& version);
  void log(const StepRecord& record);
  void log(const EpochRecord& record);
  /// per_class.csv of the last evaluation.
  void write_per_class(const Evaluation& answers) const;

  /// Since the checkpoint that was resumed, in what may change.
  bool config_changed() const { return config_changed_; }
  /// FOLDER/NAME.safetensors; `state` without its log position. Throws Error (failure).
  void save(const std::string& name, const TrainingState& state);
  /// `last`, where it is five minutes old.
  void save_if_due(const TrainingState& state);
  /// After a whole epoch: `best` where it is, the checkpoint that config.checkpoint asks for, if
  /// any (one that is to go is removed), and `last`.
  void save_epoch(const TrainingState& state, bool best);
  /// model.safetensors of the weights in the model now, and result.json of how they were measured.
  /// Returns a line that names the file and which weights those are.
  std::string save_final(const TrainingState& state, const Validation& validation,
                         bool calibrated) const;
  /// The checkpoint `last`, "" where there is none yet.
  std::string last() const;
  TrainResult result(const TrainingState& state, bool stopped) const;

 private:
  std::string path(const std::string& name) const { return config_.out + "/" + name; }
  void save_numbered(const TrainingState& state);
  ModelFile model_file() const;

  const TrainConfig& config_;
  RunParts& parts_;
  RunLock lock_;
  std::string init_digest_, teacher_digest_;
  std::unique_ptr<RunLog> log_;
  double saved_at_ = 0;
  bool config_changed_ = false;
};

/// Where `resume` ("auto", a run's folder, or one of its checkpoint files) points: the run's folder
/// and the checkpoint, which is empty for "auto" in a folder without one. `out` is the configured
/// folder. Throws Error (user) when a named folder holds no checkpoint.
struct ResumePoint {
  std::string folder, checkpoint;
};
ResumePoint find_resume_point(const std::string& resume, const std::string& out);

}  // namespace shiftadd::train
