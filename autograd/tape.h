// The tape's own structures: inside autograd/ only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "autograd/variable.h"

namespace shiftadd::autograd {

using BackwardFunction = std::function<std::vector<Tensor>(const Tensor&)>;

/// Where a gradient goes: the operation that made the input, or the leaf itself; neither when the
/// input needs no gradient. An edge never holds an input's value, so that values die as early as
/// possible.
struct Edge {
  std::shared_ptr<Node> node;
  std::shared_ptr<Variable::Impl> leaf;
  bool wanted() const { return node || leaf; }
};

struct Variable::Impl {
  Tensor value;
  Tensor grad;  // leaves only
  bool requires_grad = false;
  /// The input of a recomputed part: a leaf whose gradient goes on along the tape, so it may share
  /// memory.
  bool activation = false;
  std::shared_ptr<Node> node;  // null for a leaf
};

struct Node {
  const char* op = "";
  Shape shape;
  DType dtype = DType::kF32;
  uint64_t sequence = 0;  // larger than that of everything it was made from
  std::vector<Edge> inputs;
  BackwardFunction backward;  // empty once it has run
  Tensor pending;             // d loss / d output, as far as it has arrived
  bool queued = false;        // some gradient has arrived

  ~Node();  // without recursion along the chain of inputs
};

bool checking_anomalies();
/// Throws Error naming op, pass and shape if a float tensor holds a NaN or an infinity.
void check_finite(const char* op, const char* pass, const Tensor& tensor);

/// make_result for an op whose closure must be kept although no input needs a gradient (parameters
/// used inside a checkpointed function).
Variable record(const char* op, Tensor value, const std::vector<Variable>& inputs,
                BackwardFunction backward);

/// Adds `gradient` to `target` (which may be undefined), in place where one of the two is uniquely
/// owned.
void accumulate(Tensor& target, Tensor gradient);

}  // namespace shiftadd::autograd
