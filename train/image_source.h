// Batches of images without end, for the steps of a recipe that need no labels.
#pragma once

#include <functional>

#include "data/loader.h"

namespace shiftadd::train {

/// Gives the next batch of images (B, C, S, S), f32.
using NextImages = std::function<Tensor()>;

/// The images of `loader`, which must outlive the function, from the start of epoch 0 on, epoch
/// after epoch: the same ones in every run. The function throws Error (user) when a whole epoch has
/// no readable image.
NextImages endless_images(data::Loader& loader);

}  // namespace shiftadd::train
