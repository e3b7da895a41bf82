// Where the values of a plan and the scratch of its steps lie in the arena of the CPU engine.
#pragma once

#include <cstdint>
#include <vector>

#include "model/plan.h"

namespace shiftadd::infer {

/// Memory that a step needs for itself, in floats; once laid out: where it begins in the arena.
struct Scratch {
  int64_t integers = 0, scales = 0;              // a layer's input as int8, and its scales
  int64_t rounded = 0;                           // a layer's input as whole numbers in floats
  int64_t hidden = 0;                            // what the first layer of an MLP makes
  int64_t gated = 0;                             // and the second takes, where that is not as wide
  int64_t gathered = 0, outputs = 0;             // tokens sorted by expert, and what experts answer
  int64_t token_integers = 0, token_scales = 0;  // the tokens of all experts as int8
  int64_t thresholds = 0;                        // of attention on unit codes
  int64_t planes = 0;                            // tokens as planes of an image, for filters
};
inline constexpr int64_t Scratch::*kScratchParts[] = {
    &Scratch::integers,     &Scratch::scales,     &Scratch::rounded, &Scratch::hidden,
    &Scratch::gated,        &Scratch::gathered,   &Scratch::outputs, &Scratch::token_integers,
    &Scratch::token_scales, &Scratch::thresholds, &Scratch::planes};

/// A plan for up to `images` images at once; offsets in floats.
struct CpuLayout {
  CpuLayout(Plan its_plan, int64_t its_images);

  Plan plan;
  int64_t images;
  std::vector<int64_t> offsets;  // of each buffer that lies in the arena
  std::vector<Scratch> scratch;  // of each step
  int64_t floats = 0;
};

/// What a step needs for `images` images.
Scratch scratch_of(const Plan& plan, const Step& step, int64_t images);

}  // namespace shiftadd::infer
