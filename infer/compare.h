// Two sessions of one network on labelled images: what packing changes.
#pragma once

#include <cstdint>
#include <functional>

#include "core/evaluation.h"
#include "infer/evaluate.h"
#include "infer/routing_counts.h"
#include "infer/session.h"

namespace shiftadd::infer {

struct Comparison {
  Evaluation trained, packed;
  RoutingCounts routing;          // of the packed session
  int64_t same = 0;               // images of which both have the same first class
  double largest_difference = 0;  // of two logits
};

/// Of the same images; progress(images done) is called after each batch. Throws Error (user) for an
/// image that cannot be read, and for logits that are not finite.
Comparison compare(Session& trained, Session& packed, const LabelledSet& set,
                   const std::function<void(int64_t done)>& progress);

}  // namespace shiftadd::infer
