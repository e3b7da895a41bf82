// Small random models for tests of the inference room.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "core/random.h"
#include "model/model_file.h"

namespace shiftadd::test {

/// Lively weights: unit-gain matrices, norms near 1, and no zero biases, so that every parameter
/// matters.
inline ModelFile random_model(const ModelSpec& spec, uint64_t seed) {
  ModelFile model;
  model.spec = spec;
  model.preprocess.crop = spec.image_size;
  model.preprocess.resize = spec.image_size.longer();
  model.preprocess.mean = imagenet_mean(spec.in_channels);
  model.preprocess.std = imagenet_std(spec.in_channels);
  uint64_t stream = 0;
  for (const Parameter& info : parameters_of(spec)) {
    Tensor value(info.shape);
    Random random(seed, stream++);
    const bool matrix = info.shape.size() > 1;
    const bool norm = info.name.find("norm") != std::string::npos && info.name.ends_with("weight");
    const double fan =
        matrix ? static_cast<double>(value.numel()) / static_cast<double>(info.shape[0]) : 1;
    double scale = matrix ? 1 / std::sqrt(fan) : 0.2, mean = norm ? 1 : 0;
    if (info.name.ends_with(".shift")) scale = 1.5, mean = -3;  // powers of two: 2^-6 .. 2^0
    if (info.name.ends_with(".sign")) scale = 1;                // a third is 0
    for (float& each : value.span<float>())
      each = static_cast<float>(random.normal() * scale + mean);
    model.weights.emplace_back(info.name, value);
  }
  return model;
}

inline Tensor random_images(const ModelSpec& spec, int64_t count, uint64_t seed) {
  Tensor images(spec.batch_shape(count));
  Random random(seed, 99);
  for (float& each : images.span<float>()) each = static_cast<float>(random.normal());
  return images;
}

/// Networks whose sizes are no multiples of anything: one head, one block, one token beside the
/// class's.
inline std::vector<ModelSpec> odd_specs() {
  ModelSpec a{.name = "odd",
              .image_size = 35,
              .patch_size = 5,
              .in_channels = 3,
              .width = 51,
              .depth = 3,
              .heads = 3,
              .mlp_hidden = 67,
              .classes = 11,
              .norm_eps = 1e-6,
              .shift_add = {}};
  ModelSpec b{.name = "one patch",
              .image_size = 7,
              .patch_size = 7,
              .in_channels = 1,
              .width = 16,
              .depth = 1,
              .heads = 1,
              .mlp_hidden = 1,
              .classes = 1,
              .norm_eps = 1e-6,
              .shift_add = {}};
  ModelSpec c{.name = "wide heads",
              .image_size = 24,
              .patch_size = 4,
              .in_channels = 3,
              .width = 192,
              .depth = 2,
              .heads = 3,
              .mlp_hidden = 96,
              .classes = 17,
              .norm_eps = 1e-6,
              .shift_add = {}};
  return {a, b, c};
}

}  // namespace shiftadd::test
