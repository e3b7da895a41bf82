// Variable: a Tensor that remembers how it was made. The tape behind it and the gradient contract:
// autograd/README.md.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace shiftadd::autograd {

struct Node;  // one recorded operation

/// A handle; copies share value, gradient and history.
class Variable {
 public:
  Variable() = default;
  /// A leaf. With requires_grad (a parameter) its gradient accumulates over backward passes.
  explicit Variable(Tensor value, bool requires_grad = false);

  bool defined() const { return impl_ != nullptr; }
  const Tensor& value() const;
  const Shape& shape() const { return value().shape(); }
  int64_t dim(int axis) const { return value().dim(axis); }
  DType dtype() const { return value().dtype(); }

  bool requires_grad() const;             // itself or anything it was made from
  void set_requires_grad(bool required);  // leaves only
  /// Undefined until a backward pass reached this leaf. Same shape and dtype as the value.
  const Tensor& grad() const;
  void set_grad(Tensor gradient);
  void zero_grad();              // keeps the memory, writes zeros (if there is a gradient)
  void set_value(Tensor value);  // leaves only; same shape and dtype

  /// Runs the tape backwards from this variable (a scalar, or with `seed` = d loss / d this). Every
  /// node is freed as soon as its gradient has been passed on. A second backward through freed
  /// nodes throws.
  void backward() const;
  void backward(const Tensor& seed) const;

  Variable detach() const;  // the same value without history

  struct Impl;
  const std::shared_ptr<Impl>& impl() const { return impl_; }

 private:
  explicit Variable(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  friend Variable make_result(const char*, Tensor, std::vector<Variable>,
                              std::function<std::vector<Tensor>(const Tensor&)>);
  std::shared_ptr<Impl> impl_;
};

/// What every op ends with: wraps `value` and records `backward`, which gets d loss / d value and
/// returns one gradient per input (an undefined Tensor where the input needs none). The gradient
/// handed in may be returned, and overwritten when its use_count() is 1. `backward` must capture
/// Tensors, never Variables with history (cycles). When recording is off or no input requires a
/// gradient, the closure is dropped at once. `op` names the operation in errors and in anomaly
/// mode.
Variable make_result(const char* op, Tensor value, std::vector<Variable> inputs,
                     std::function<std::vector<Tensor>(const Tensor& gradient)> backward);

/// Parameter gradients accumulate in place: the op's backward adds into this tensor itself (made
/// zero at first use) and returns an undefined Tensor for that input.
Tensor accumulator_of(const Variable& leaf);

bool recording();
/// Inside its scope nothing is recorded (evaluation, teachers).
class NoGradGuard {
 public:
  NoGradGuard();
  ~NoGradGuard();

 private:
  bool before_;
};
/// Inside its scope, on its thread, linear, gelu_linear, shift_linear, conv2d, conv2d_tokens and
/// matmul round the factors of their products to bf16 (GemmArgs::bf16), or with `on` false do not;
/// their backward does what their forward did. route never rounds. Outside: no rounding.
class Bf16Guard {
 public:
  explicit Bf16Guard(bool on = true);
  ~Bf16Guard();

 private:
  bool before_;
};
bool bf16_products();

/// Inside its scope each op's output and each gradient is checked; the first NaN or infinity throws
/// an Error that names the op, the pass (forward or backward) and the shape.
class AnomalyGuard {
 public:
  AnomalyGuard();
  ~AnomalyGuard();

 private:
  bool before_;
};

/// Activation checkpointing: runs `function` without recording, and again, recorded, when backward
/// arrives. `function` must be deterministic given its input (random ops take explicit streams).
/// The parameters it uses receive their gradients as usual.
Variable checkpoint(const std::function<Variable(const Variable&)>& function,
                    const Variable& input);

}  // namespace shiftadd::autograd
