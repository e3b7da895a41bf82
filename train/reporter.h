// What a run says to its user: lines, a bar on a terminal, and never a long silence elsewhere.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "core/progress.h"

namespace shiftadd::train {

class Reporter {
 public:
  /// `sink` receives all text, line ends included, one call at a time. Without a terminal there is
  /// a line at least every `silence` seconds, 0: only those that are asked for.
  Reporter(Progress::Sink sink, bool terminal, double silence);
  ~Reporter();
  Reporter(const Reporter&) = delete;
  Reporter& operator=(const Reporter&) = delete;

  /// A line of its own, from any thread.
  void line(const std::string& text);
  /// Where the work stands: the bar on a terminal. Elsewhere the line `text` where it is `due`, or
  /// nothing has been said for `silence` seconds; and if nothing more comes, a line that says so.
  void at(const ProgressBar& bar, const std::string& text, bool due);
  /// The same for work whose steps have no lines: "TITLE FIGURE ...".
  void at(const ProgressBar& bar);
  /// What is worked on from now, of which nothing is counted.
  void begin(const std::string& what) { at({what, 0, 1, {}}); }

 private:
  void say(const std::string& text);
  void watch();

  std::mutex mutex_;
  Progress progress_;
  const double silence_;
  std::string standing_;                  // the last `text`
  double said_at_ = 0, standing_at_ = 0;  // seconds
  bool done_ = false;
  std::condition_variable wake_;
  std::thread watcher_;
};

}  // namespace shiftadd::train
