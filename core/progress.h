// How far long work is: a bar that redraws itself on a terminal, plain lines elsewhere. The program
// decides where the text goes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace shiftadd {

/// "42s", "3m05s", "2h07m"; "?" from a thousand days on, when a rate is not known yet.
std::string duration_text(double seconds);

/// "[=========>          ]", `width` characters between the brackets.
std::string bar_text(int64_t done, int64_t total, int64_t width = 20);

/// Seconds on a clock that never goes back, from an arbitrary start.
double steady_seconds();

/// Whether standard error is a terminal on which a line can be redrawn (not one of TERM=dumb).
bool stderr_is_terminal();
/// The width of the terminal at standard error at this moment, or of COLUMNS where that is smaller;
/// 80 where neither is known.
int64_t terminal_columns();

/// What stands on the one line that is redrawn.
struct ProgressBar {
  std::string title;
  int64_t done = 0, total = 0;
  std::vector<std::string> figures;  // behind the bar, the most important ones first
};
/// "TITLE [====>   ] FIGURE FIGURE", in less than `columns` columns. What does not fit is left out:
/// first the bar shrinks, then the last figures go, then the bar, then the end of the rest. Control
/// characters are shown as '?'.
std::string progress_line(ProgressBar bar, int64_t columns);

class Progress {
 public:
  using Sink = std::function<void(std::string_view)>;
  /// `sink` receives text with its line ends (or returns). `columns` is asked at every drawing.
  Progress(Sink sink, bool terminal, std::function<int64_t()> columns = terminal_columns);
  ~Progress();  // wipes
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  bool terminal() const { return terminal_; }
  /// Replaces the bar, at most ten times a second unless `last`. Only on a terminal. `now`: seconds
  /// on any steady clock.
  void draw(const ProgressBar& bar, double now, bool last);
  /// A line of its own; a bar under way is wiped first.
  void line(const std::string& text);
  /// Removes the bar, so that something else can be printed.
  void wipe();

 private:
  Sink sink_;
  bool terminal_;
  std::function<int64_t()> columns_;
  double drawn_at_ = -1e9;
  bool bar_shown_ = false;
};

}  // namespace shiftadd
