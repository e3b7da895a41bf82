// Creates handles and leaves, records operations, and switches recording on and off.
#include "autograd/variable.h"

#include <atomic>
#include <cmath>
#include <utility>

#include "autograd/tape.h"

namespace shiftadd::autograd {
namespace {

thread_local bool recording_now = true;
thread_local bool anomaly_now = false;
thread_local bool bf16_now = false;

const Variable::Impl& checked(const std::shared_ptr<Variable::Impl>& impl) {
  if (!impl) throw failure("[variable] an undefined variable was used");
  return *impl;
}

Variable::Impl& leaf_of(const std::shared_ptr<Variable::Impl>& impl, const char* what) {
  checked(impl);
  if (impl->node)
    throw failure("[variable] ", what, " works on leaves only; this one was made by ",
                  impl->node->op);
  return *impl;
}

void check_same_kind(const char* what, const Tensor& given, const Tensor& value) {
  if (given.shape() != value.shape() || given.dtype() != value.dtype())
    throw user_error("[variable] ", what, " is ", given.dtype(), given.shape(), ": expected ",
                     value.dtype(), value.shape());
}

template <class T>
bool all_finite(const Tensor& tensor) {
  for (T x : tensor.span<T>()) {
    if (!std::isfinite(x)) return false;
  }
  return true;
}

}  // namespace

Variable::Variable(Tensor value, bool requires_grad) : impl_(std::make_shared<Impl>()) {
  if (!value.defined()) throw failure("[variable] made from an undefined tensor");
  impl_->value = std::move(value);
  impl_->requires_grad = requires_grad;
}

const Tensor& Variable::value() const { return checked(impl_).value; }
bool Variable::requires_grad() const { return checked(impl_).requires_grad; }
const Tensor& Variable::grad() const { return checked(impl_).grad; }

void Variable::set_requires_grad(bool required) {
  Impl& leaf = leaf_of(impl_, "set_requires_grad");
  leaf.requires_grad = required;
  if (!required) leaf.grad = {};
}

void Variable::set_grad(Tensor gradient) {
  Impl& leaf = leaf_of(impl_, "set_grad");
  if (gradient.defined()) check_same_kind("the gradient", gradient, leaf.value);
  leaf.grad = std::move(gradient);
}

void Variable::zero_grad() {
  Impl& leaf = leaf_of(impl_, "zero_grad");
  if (leaf.grad.defined()) leaf.grad.fill(0);
}

void Variable::set_value(Tensor value) {
  Impl& leaf = leaf_of(impl_, "set_value");
  check_same_kind("the new value", value, leaf.value);
  leaf.value = std::move(value);
}

Variable Variable::detach() const { return Variable(value()); }

Variable record(const char* op, Tensor value, const std::vector<Variable>& inputs,
                BackwardFunction backward) {
  static std::atomic<uint64_t> sequence{0};
  auto node = std::make_shared<Node>();
  node->op = op;
  node->shape = value.shape();
  node->dtype = value.dtype();
  node->sequence = ++sequence;
  node->backward = std::move(backward);
  node->inputs.reserve(inputs.size());
  for (const Variable& input : inputs) {
    Edge edge;
    if (input.defined() && input.requires_grad()) {
      if (input.impl()->node)
        edge.node = input.impl()->node;
      else
        edge.leaf = input.impl();
    }
    node->inputs.push_back(std::move(edge));
  }
  Variable result(std::move(value), true);
  result.impl()->node = std::move(node);
  return result;
}

Variable make_result(const char* op, Tensor value, std::vector<Variable> inputs,
                     std::function<std::vector<Tensor>(const Tensor&)> backward) {
  if (anomaly_now) check_finite(op, "forward", value);
  bool wanted = false;
  for (const Variable& input : inputs)
    wanted = wanted || (input.defined() && input.requires_grad());
  if (!wanted || !recording_now) return Variable(std::move(value));
  return record(op, std::move(value), inputs, std::move(backward));
}

Tensor accumulator_of(const Variable& leaf) {
  Variable::Impl& impl = leaf_of(leaf.impl(), "accumulator_of");
  if (!impl.grad.defined()) impl.grad = Tensor::zeros(impl.value.shape(), impl.value.dtype());
  return impl.grad;
}

bool recording() { return recording_now; }
NoGradGuard::NoGradGuard() : before_(std::exchange(recording_now, false)) {}
NoGradGuard::~NoGradGuard() { recording_now = before_; }

bool bf16_products() { return bf16_now; }
Bf16Guard::Bf16Guard(bool on) : before_(std::exchange(bf16_now, on)) {}
Bf16Guard::~Bf16Guard() { bf16_now = before_; }

bool checking_anomalies() { return anomaly_now; }
AnomalyGuard::AnomalyGuard() : before_(std::exchange(anomaly_now, true)) {}
AnomalyGuard::~AnomalyGuard() { anomaly_now = before_; }

void check_finite(const char* op, const char* pass, const Tensor& tensor) {
  const bool finite = tensor.dtype() == DType::kF32   ? all_finite<float>(tensor)
                      : tensor.dtype() == DType::kF64 ? all_finite<double>(tensor)
                                                      : true;
  if (!finite)
    throw failure("[", op, "] ", pass, " pass made a NaN or an infinity in a tensor of shape ",
                  tensor.shape());
}

Variable checkpoint(const std::function<Variable(const Variable&)>& function,
                    const Variable& input) {
  Tensor value;
  {
    NoGradGuard guard;
    value = function(input.detach()).value();
  }
  if (!recording_now) return Variable(std::move(value));
  const auto backward = [function, kept = input.value(), wanted = input.requires_grad(),
                         bf16 = bf16_now](const Tensor& gradient) -> std::vector<Tensor> {
    const bool before = std::exchange(recording_now, true);
    const Bf16Guard precision(bf16);
    Variable leaf(kept, wanted), output;
    leaf.impl()->activation = true;
    try {
      output = function(leaf);
      if (output.requires_grad()) output.backward(gradient);
    } catch (...) {
      recording_now = before;
      throw;
    }
    recording_now = before;
    return {std::exchange(leaf.impl()->grad, Tensor())};
  };
  return record("checkpoint", std::move(value), {input}, backward);
}

}  // namespace shiftadd::autograd
