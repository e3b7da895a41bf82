// Sessions on labelled images: how often they are right, and what packing changes.
#pragma once

#include <functional>
#include <string>

#include "core/evaluation.h"
#include "infer/routing_counts.h"
#include "infer/session.h"

namespace shiftadd::infer {

struct Comparison {
  Evaluation trained, packed;
  RoutingCounts routing;          // of the packed session
  int64_t same = 0;               // images of which both have the same first class
  double largest_difference = 0;  // of two logits
};

/// report(images done, of all) is called at the start and after each batch.
using EvaluationReport = std::function<void(int64_t, int64_t)>;

/// `set`: a folder of class folders, or such a tree in a .tar. Throws Error (user) for a set whose
/// classes are not the network's, for an image that cannot be read, and for logits that are not
/// finite (`model`: its name there).
Evaluation evaluate(Session& session, const std::string& model, const std::string& set,
                    const EvaluationReport& report);

/// Of two sessions of one network, on the same images.
Comparison compare(Session& trained, Session& packed, const std::string& set,
                   const EvaluationReport& report);

}  // namespace shiftadd::infer
