// Linear layers, multiplied or shifted, and LayerNorm: what every block is made of.
#pragma once

#include <memory>

#include "core/kernels.h"
#include "core/random.h"
#include "layers/token_layer.h"
#include "model/network.h"

namespace shiftadd::layers {

/// Normal numbers of standard deviation 0.02. (timm truncates at +-2, a hundred deviations away.)
Tensor normal_weights(Shape shape, Random& random);

/// A linear layer whose weights are multiplied or shifted.
class Projection : public TokenLayer {
 public:
  /// (..., in) -> (..., out) of x, or of gelu(x) without keeping it, plus residual (..., out) where
  /// defined, added inside the product.
  virtual Variable apply(const Variable& x, Activation input, const Variable& residual) const = 0;
  Variable forward(const Variable& x, const Variable& residual, const Pass&) const override {
    return apply(x, Activation::kNone, residual);
  }
};

class Linear : public Projection {
 public:
  /// NAME.weight (out, in) as normal_weights, NAME.bias (out) zero, where there is one.
  Linear(const std::string& name, int64_t in, int64_t out, Random& random, bool bias = true);
  Linear(const LinearSpec& spec, Random& random)
      : Linear(spec.name, spec.in, spec.out, random, spec.bias) {}
  Variable apply(const Variable& x, Activation input, const Variable& residual) const override;
  /// The factors become those of the weight's rows, as in deployment.
  void scale_output(const Variable& factors) override { factors_ = factors; }
  Variable operator()(const Variable& x) const { return apply(x, Activation::kNone, {}); }
  const Variable& weight() const { return weight_; }
  const Variable& bias() const { return bias_; }

 private:
  Variable weight_, bias_, factors_;  // the last two may be undefined
};

/// W = s 2^p from latent parameters: NAME.weight (out, in), or NAME.shift and NAME.sign (out, in);
/// NAME.bias (out), where there is one.
class ShiftLinear : public Projection {
 public:
  /// Latent values that give the Shift weights nearest to those of Linear.
  ShiftLinear(const LinearSpec& spec, const ShiftAddSpec& options, Random& random);
  Variable apply(const Variable& x, Activation input, const Variable& residual) const override;
  /// The weights stay powers of two.
  void scale_output(const Variable& factors) override { factors_ = factors; }

 private:
  ShiftAddSpec options_;
  Variable weight_, shift_, sign_;  // the first, or the other two
  Variable bias_, factors_;         // may be undefined
};

/// The layer of the spec's name and sizes that multiplies or shifts, whatever its kind.
std::unique_ptr<Projection> make_projection(const LinearSpec& spec, bool shift,
                                            const ShiftAddSpec& options, Random& random);

/// The latent form ps of `weight`: shift log2 |w|, sign +-1, both clamped to what 5bit can hold; a
/// 0 has sign 0.
std::pair<Tensor, Tensor> shift_and_sign_of(const Tensor& weight);

class LayerNorm : public Module {
 public:
  /// NAME.weight (width) ones, NAME.bias (width) zeros.
  explicit LayerNorm(const NormSpec& spec);
  Variable forward(const Variable& x) const;

 private:
  double eps_;
  Variable weight_, bias_;
};

}  // namespace shiftadd::layers
