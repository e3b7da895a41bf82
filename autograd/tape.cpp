// Runs the tape backwards, latest operation first, and frees it on the way.
#include "autograd/tape.h"

#include <algorithm>
#include <queue>
#include <utility>

#include "autograd/ops/support.h"
#include "core/kernels.h"

namespace shiftadd::autograd {
namespace {

thread_local Node* running = nullptr;

// Restores `running` when a node's backward ends or throws (checkpoints nest).
class Running {
 public:
  explicit Running(Node* node) : before_(std::exchange(running, node)) {}
  ~Running() { running = before_; }

 private:
  Node* before_;
};

template <class T>
void add_into(const Tensor& a, const Tensor& b, const Tensor& out) {
  kernels<T>().add({a.numel(), a.data<T>(), b.data<T>(), out.data<T>()});
}

struct Later {
  bool operator()(const std::shared_ptr<Node>& a, const std::shared_ptr<Node>& b) const {
    return a->sequence < b->sequence;
  }
};
using Queue = std::priority_queue<std::shared_ptr<Node>, std::vector<std::shared_ptr<Node>>, Later>;

void check_gradient(const Node& node, std::size_t index, const Tensor& gradient) {
  const Edge& edge = node.inputs[index];
  const Shape& shape = edge.node ? edge.node->shape : edge.leaf->value.shape();
  const DType dtype = edge.node ? edge.node->dtype : edge.leaf->value.dtype();
  if (gradient.shape() != shape || gradient.dtype() != dtype)
    throw failure("[", node.op, "] backward gave ", gradient.dtype(), gradient.shape(),
                  " for input ", index, ", which is ", dtype, shape);
}

// A parameter's gradient is its own memory, and stays where it is while others hold a handle on it.
void accumulate_leaf(Variable::Impl& leaf, Tensor gradient) {
  if (leaf.activation) return accumulate(leaf.grad, std::move(gradient));
  if (!leaf.grad.defined()) {
    leaf.grad = gradient.use_count() == 1 ? std::move(gradient) : gradient.clone();
    return;
  }
  dispatch(gradient.dtype(), [&]<class T>() { add_into<T>(leaf.grad, gradient, leaf.grad); });
}

// Hands each gradient to the node or leaf it belongs to.
void distribute(Node& node, std::vector<Tensor> gradients, Queue& queue) {
  if (gradients.size() > node.inputs.size())
    throw failure("[", node.op, "] backward gave ", gradients.size(), " gradients for ",
                  node.inputs.size(), " inputs");
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    Edge& edge = node.inputs[i];
    if (!gradients[i].defined() || !edge.wanted()) continue;
    check_gradient(node, i, gradients[i]);
    if (checking_anomalies()) check_finite(node.op, "backward", gradients[i]);
    if (edge.node) {
      accumulate(edge.node->pending, std::move(gradients[i]));
      if (!std::exchange(edge.node->queued, true)) queue.push(edge.node);
    } else {
      accumulate_leaf(*edge.leaf, std::move(gradients[i]));
    }
  }
  if (!checking_anomalies()) return;
  for (const Edge& edge : node.inputs) {
    if (edge.leaf && edge.leaf->grad.defined()) check_finite(node.op, "backward", edge.leaf->grad);
  }
}

}  // namespace

Node::~Node() {
  std::vector<std::shared_ptr<Node>> doomed;
  const auto take = [&](Node& node) {
    for (Edge& edge : node.inputs) {
      if (edge.node) doomed.push_back(std::move(edge.node));
    }
  };
  take(*this);
  while (!doomed.empty()) {
    const std::shared_ptr<Node> node = std::move(doomed.back());
    doomed.pop_back();
    if (node.use_count() == 1) take(*node);
  }
}

void accumulate(Tensor& target, Tensor gradient) {
  if (!target.defined()) {
    target = std::move(gradient);
    return;
  }
  const Tensor out = target.use_count() == 1     ? target
                     : gradient.use_count() == 1 ? gradient
                                                 : Tensor(target.shape(), target.dtype());
  dispatch(target.dtype(), [&]<class T>() { add_into<T>(target, gradient, out); });
  target = out;
}

Tensor take_pending(std::size_t input) {
  if (!running || input >= running->inputs.size()) return {};
  Edge& edge = running->inputs[input];
  if (edge.leaf && (edge.leaf->activation || edge.leaf->grad.use_count() == 1))
    return std::exchange(edge.leaf->grad, Tensor());
  // A node stays queued while its pending gradient is away: the op returns the sum.
  if (edge.node) return std::exchange(edge.node->pending, Tensor());
  return {};
}

void Variable::backward() const {
  if (value().numel() != 1)
    throw user_error("[backward] starts from a scalar, this variable is ", shape(),
                     ": reduce it (sum, mean) or give a seed gradient");
  backward(Tensor::full(shape(), 1, dtype()));
}

void Variable::backward(const Tensor& seed) const {
  if (seed.shape() != shape() || seed.dtype() != dtype())
    throw user_error("[backward] seed is ", seed.dtype(), seed.shape(), ": expected ", dtype(),
                     shape());
  if (!requires_grad())
    throw user_error(
        "[backward] nothing to do: no input of this variable requires a gradient, or it was "
        "made while recording was off");
  if (!impl_->node) {
    accumulate_leaf(*impl_, seed);
    return;
  }
  Queue queue;
  accumulate(impl_->node->pending, seed);
  queue.push(impl_->node);
  while (!queue.empty()) {
    const std::shared_ptr<Node> node = queue.top();
    queue.pop();
    if (!node->backward)
      throw failure("[", node->op,
                    "] backward ran through this operation before and freed it: run the "
                    "forward pass again");
    std::vector<Tensor> gradients;
    {
      const Running scope(node.get());
      const BackwardFunction function = std::move(node->backward);
      node->backward = nullptr;
      const Tensor gradient = std::move(node->pending);
      node->pending = {};
      gradients = function(gradient);
    }  // what the closure kept is freed here, before gradients are added up
    distribute(*node, std::move(gradients), queue);
    node->inputs.clear();
  }
}

}  // namespace shiftadd::autograd
