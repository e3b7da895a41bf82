// How a ceiling of the machine is measured: the best rate of threads that each keep to a core.
#pragma once

#include <functional>

namespace shiftadd::tools {

/// How a ceiling is measured: by how many threads at once, each on a core of its own, and how long.
struct PeakPlan {
  int threads = 1;
  double seconds = 0.5;
};

/// Work a second, in 1e9, of threads that each do `work` in a call of body(thread): the best of
/// many short runs, for on a busy machine only some are undisturbed.
double best_rate(const PeakPlan& plan, double work, const std::function<void(int)>& body);

}  // namespace shiftadd::tools
