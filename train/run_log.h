// The files that tell how a run went: metrics.csv (one row per epoch), metrics.jsonl (steps and
// epochs), TensorBoard events.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "train/append_file.h"
#include "train/evaluation.h"
#include "train/tensorboard.h"

namespace shiftadd::train {

/// How far the files had been written: part of every checkpoint, so that a resumed run cuts off
/// what followed the checkpoint and then continues without a gap or a duplicate.
struct LogPosition {
  int64_t csv = 0, jsonl = 0, events = 0;  // bytes
  std::string events_name;                 // file name in the run's folder; empty: none
};

/// One router in one step.
struct RouterRecord {
  double shift_share = 0, entropy = 0;  // as in autograd::RoutingStatistics: without noise, nats
  double alpha_shift = 0;               // of the balance loss, Mult's is 1 - alpha; 0: no such loss
  double importance_scv = 0, load_scv = 0;
};

struct StepRecord {
  int64_t step = 0, epoch = 0;  // steps done; the epoch at work, the first is 1
  double loss = 0, lr = 0, gradient_norm = 0, images_per_second = 0;
  std::vector<RouterRecord> routers = {};  // in the order of router_names
};

struct EpochRecord {
  int64_t epoch = 0, step = 0;  // the epoch at work, the first is 1; steps done
  double lr = 0;                // of the last step
  double train_loss = 0;        // mean over the epoch
  double seconds = 0, images_per_second = 0;
  std::optional<Validation> validation;
};

class RunLog {
 public:
  /// Opens the files in `folder` at `position`; wall_time (seconds since 1970) names a new events
  /// file.
  RunLog(const std::string& folder, const LogPosition& position, bool tensorboard,
         double wall_time);
  void write(const StepRecord& record, double wall_time);
  void write(const EpochRecord& record, double wall_time);
  LogPosition position() const;

 private:
  AppendFile csv_, jsonl_;
  std::string events_name_;
  std::unique_ptr<EventFile> events_;
};

}  // namespace shiftadd::train
