// A network small enough for any test of the training room.
#pragma once

#include "model/model_spec.h"

namespace shiftadd::test {

inline ModelSpec tiny_spec() {
  return {.name = "tiny",
          .image_size = 8,
          .patch_size = 4,
          .in_channels = 3,
          .width = 12,
          .depth = 2,
          .heads = 3,
          .mlp_hidden = 17,
          .classes = 3,
          .norm_eps = 1e-6,
          .shift_add = {}};
}

}  // namespace shiftadd::test
