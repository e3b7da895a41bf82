// What a run says while it works: a bar that redraws itself on a terminal, plain lines elsewhere.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace shiftadd::train {

/// "42s", "3m05s", "2h07m".
std::string duration_text(double seconds);

struct ProgressUpdate {
  int64_t epoch = 0, epochs = 0;          // the epoch at work, 1-based
  int64_t step = 0, steps_per_epoch = 0;  // steps done in it
  double loss = 0, lr = 0, images_per_second = 0, seconds_left = 0;
};
/// "epoch 3/10 [=====>    ] 45/97 loss 1.234 lr 4.9e-04 812 img/s ETA 1m20s"; without the bar for
/// plain lines.
std::string progress_text(const ProgressUpdate& update, bool bar);

class Progress {
 public:
  using Sink = std::function<void(std::string_view)>;
  /// `sink` receives text with its line ends (or returns); `every`: steps between plain lines.
  Progress(Sink sink, bool terminal, int64_t every);
  /// `now`: seconds on any steady clock. On a terminal it redraws at most ten times a second.
  void update(const ProgressUpdate& update, double now);
  /// A line of its own; a bar under way is wiped first.
  void line(const std::string& text);

 private:
  Sink sink_;
  bool terminal_;
  int64_t every_;
  double drawn_at_ = -1e9;
  bool bar_shown_ = false;
};

}  // namespace shiftadd::train
