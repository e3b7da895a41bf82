// How far a run over many images is, on stderr.
#pragma once

#include <cstdint>
#include <string>

#include "core/progress.h"

namespace shiftadd::tools {

/// A bar on a terminal; elsewhere, where `wanted`, a line at once that says what begins, and then
/// one every ten seconds. The bar goes when this does, before an error is printed.
class RunProgress {
 public:
  enum class Lines : uint8_t { kNone, kLate, kAll };  // kLate: none at once
  /// "TITLE SUBJECT: 12 images" at once; the bar and the other lines say TITLE alone.
  RunProgress(std::string title, const std::string& subject, int64_t total, Lines lines);
  void wipe() { display_.wipe(); }
  void update(int64_t done);

 private:
  Progress display_;
  std::string title_;
  int64_t total_;
  Lines lines_;
  double start_ = steady_seconds(), line_at_ = 0;
};

}  // namespace shiftadd::tools
