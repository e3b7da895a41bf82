// Convolutions between tokens on a grid: patches, fewer keys and values, filters inside MLPs.
#pragma once

#include "core/random.h"
#include "layers/module.h"
#include "model/network.h"

namespace shiftadd::layers {

/// A dense convolution whose outputs are tokens.
class Convolution : public Module {
 public:
  /// weight (out, in, kernel, kernel), bias (out): as torch's default, uniform in +-1/sqrt(fan in).
  Convolution(const ConvSpec& spec, Random& random);
  /// images (B, in, H, W) -> (B, H' W', out).
  Variable of_images(const Variable& images) const;
  /// tokens (B, H W, in) on `grid` -> (B, H' W', out).
  Variable of_tokens(const Variable& tokens, const Grid& grid) const;

 private:
  ConvSpec spec_;
  Variable weight_, bias_;
};

/// A filter a channel that keeps the grid.
class DepthwiseConvolution : public Module {
 public:
  /// weight (width, 1, kernel, kernel), bias (width): as Convolution's.
  DepthwiseConvolution(const DepthwiseSpec& spec, Random& random);
  /// tokens (B, H W, width) on `grid` -> the same shape.
  Variable forward(const Variable& tokens, const Grid& grid) const;

 private:
  int64_t padding_;
  Variable weight_, bias_;
};

}  // namespace shiftadd::layers
