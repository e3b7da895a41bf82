// Exponential moving average of the trainable weights.
#pragma once

#include "train/optimizer.h"

namespace shiftadd::train {

/// average = decay average + (1 - decay) weight after each optimizer step (Polyak and Juditsky
/// 1992). Starts at the weights themselves. Frozen parameters are not averaged.
class Ema {
 public:
  Ema(const NamedParameters& parameters, double decay);
  void update();
  /// The averages become the present weights.
  void restart();
  /// Exchanges averages and weights in the network; calling it again puts them back.
  void swap();
  /// Averages under the parameters' names, the memory itself.
  NamedTensors state() const;
  /// Copies saved averages in; names that are not averaged are ignored. Throws Error (user) when
  /// one is missing.
  void load_state(const NamedTensors& state);

 private:
  NamedParameters parameters_;
  std::vector<Tensor> averages_;
  double decay_;
};

/// Inside its scope the network carries the averaged weights. `ema` may be null: nothing happens.
class EmaScope {
 public:
  explicit EmaScope(Ema* ema) : ema_(ema) {
    if (ema_) ema_->swap();
  }
  ~EmaScope() {
    if (ema_) ema_->swap();
  }
  EmaScope(const EmaScope&) = delete;
  EmaScope& operator=(const EmaScope&) = delete;

 private:
  Ema* ema_;
};

}  // namespace shiftadd::train
