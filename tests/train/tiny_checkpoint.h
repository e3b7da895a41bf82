// A training checkpoint small enough to be damaged at every byte.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "layers/model.h"
#include "train/checkpoint.h"

namespace shiftadd::test {

inline train::Checkpoint checkpoint_of(ModelFile model, const train::Optimizer& optimizer) {
  return {.model = std::move(model),
          .trained = {},
          .optimizer = optimizer.state(),
          .state = {},
          .config = "{}",
          .data_digest = "abc",
          .isa = "generic"};
}

/// Of random weights, before the first step; `classes` are as many as the spec has.
inline train::Checkpoint tiny_checkpoint(const ModelSpec& spec, std::vector<std::string> classes) {
  const layers::Model model(spec, {}, 3);
  const train::Optimizer optimizer({}, model.named_parameters(), parameters_of(model.spec()));
  return checkpoint_of({.spec = spec,
                        .preprocess = {},
                        .classes = std::move(classes),
                        .class_ids = {},
                        .weights = model.state_dict()},
                       optimizer);
}

}  // namespace shiftadd::test
