// The two-layer perceptron of a transformer block.
#pragma once

#include "layers/convolution.h"
#include "layers/mixture.h"

namespace shiftadd::layers {

/// Both layers multiply, or both shift: an expert of a routed MLP, or an MLP without router whose
/// layers are of one kind and have no filter between them. So fc2 computes GELU itself.
class PlainMlp : public TokenLayer {
 public:
  /// `name`: of the MLP or the expert, under which the layers of `spec` are.
  PlainMlp(const std::string& name, const MlpSpec& spec, bool shift_fc1, bool shift_fc2,
           const ShiftAddSpec& options, Random& random);
  /// residual + fc2(activation(fc1(x))); x and residual (..., C).
  Variable forward(const Variable& x, const Variable& residual, const Pass& pass) const override;
  void scale_output(const Variable& factors) override { fc2_->scale_output(factors); }

 private:
  HiddenActivation activation_;
  Projection *fc1_, *fc2_;
};

/// Layers that may be mixtures each, with or without a depthwise filter between them.
class LayeredMlp : public TokenLayer {
 public:
  LayeredMlp(const MlpSpec& spec, const Grid& grid, const ShiftAddSpec& options, Random& random);
  /// residual + fc2(activation(filter(fc1(x)))); x and residual (B, N, C).
  Variable forward(const Variable& x, const Variable& residual, const Pass& pass) const override;
  void scale_output(const Variable& factors) override { fc2_->scale_output(factors); }

 private:
  HiddenActivation activation_;
  Grid grid_;
  TokenLayer *fc1_, *fc2_;
  DepthwiseConvolution* filter_ = nullptr;  // or null
};

/// The MLP of a block of patches on `grid`.
std::unique_ptr<TokenLayer> make_mlp(const MlpSpec& spec, const Grid& grid,
                                     const ShiftAddSpec& options, Random& random);

}  // namespace shiftadd::layers
