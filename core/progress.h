// How far long work is: a bar that redraws itself on a terminal, plain lines elsewhere. The program
// decides where the text goes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace shiftadd {

/// "42s", "3m05s", "2h07m".
std::string duration_text(double seconds);

/// "[=========>          ]", 20 characters between the brackets.
std::string bar_text(int64_t done, int64_t total);

/// Seconds on a clock that never goes back, from an arbitrary start.
double steady_seconds();

class Progress {
 public:
  using Sink = std::function<void(std::string_view)>;
  /// `sink` receives text with its line ends (or returns).
  Progress(Sink sink, bool terminal);
  bool terminal() const { return terminal_; }
  /// Replaces the bar by `text`, at most ten times a second unless `last`. Only on a terminal.
  /// `now`: seconds on any steady clock.
  void draw(const std::string& text, double now, bool last);
  /// A line of its own; a bar under way is wiped first.
  void line(const std::string& text);
  /// Removes the bar, so that something else can be printed.
  void wipe();

 private:
  Sink sink_;
  bool terminal_;
  double drawn_at_ = -1e9;
  bool bar_shown_ = false;
};

}  // namespace shiftadd
