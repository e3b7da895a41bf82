// How often a network is right on a labelled set, as a table for people or JSON for programs.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "core/evaluation.h"
#include "infer/routing_counts.h"

namespace shiftadd::tools {

struct EvaluationFigures {
  std::string set;
  int64_t broken;
  int threads;
  double seconds;
  infer::RoutingCounts routing;
};

/// `names`: of the classes.
void print_evaluation(std::ostream& out, const Evaluation& evaluation,
                      const std::vector<std::string>& names, const EvaluationFigures& figures,
                      bool json);

}  // namespace shiftadd::tools
