// One optimizer step: forward, loss, backward for each batch of it, then clip and update.
#pragma once

#include <string>

#include "data/loader.h"
#include "layers/model.h"
#include "train/ema.h"
#include "train/losses.h"
#include "train/optimizer.h"
#include "train/run_log.h"

namespace shiftadd::train {

/// Whether products of this run are bf16: asked for, and offered by this machine.
bool multiplies_bf16(const LoopConfig& config);
/// What to tell the user where bf16 is asked for and not offered.
inline constexpr const char* kNoBf16 =
    "train.precision is bf16: this machine has no AVX512-BF16 or AMX, training in float32";
/// The instructions that this run computes with: "avx512", or with bf16 products "avx512, bf16
/// amx".
std::string kernels_of(const LoopConfig& config);

class TrainingStep {
 public:
  /// `teacher` and `ema` may be null; class_weights may be undefined. With smooth_codes, whole
  /// codes learn through autograd::smooth_codes. All referenced objects must outlive this.
  TrainingStep(const layers::Model& model, const layers::Model* teacher, Optimizer& optimizer,
               Ema* ema, const LoopConfig& config, const RouterConfig& router, Tensor class_weights,
               uint64_t seed, bool smooth_codes = false);

  /// Adds a batch's gradients, divided by config.accumulate: after that many equal batches they are
  /// those of one big batch. `stream` numbers the batch over the whole run (random draws of
  /// dropout and routers), `progress` is the share of the training that is done. Returns the
  /// batch's loss, without the routers' balance loss.
  double accumulate(const data::Batch& batch, uint64_t stream, double progress);
  /// The routers in the last batch; empty where there are none, or the split is fixed.
  const std::vector<RouterRecord>& routers() const { return routers_; }
  /// Clips, updates weights and averages, clears gradients. Returns the gradient norm before
  /// clipping. When it is not finite the weights stay as they are.
  double update(double lr);

 private:
  const layers::Model& model_;
  const layers::Model* teacher_;
  Optimizer& optimizer_;
  Ema* ema_;
  const LoopConfig& config_;
  const RouterConfig& router_;
  std::vector<std::vector<double>> alphas_;  // of each router's balance loss; empty: none
  bool routed_ = false;                      // whether the network has a router
  std::vector<RouterRecord> routers_;
  Tensor class_weights_;
  uint64_t seed_;
  bool smooth_codes_;
};

}  // namespace shiftadd::train
