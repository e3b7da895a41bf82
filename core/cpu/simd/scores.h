// What turns a product of whole codes of one head into a score.
#pragma once

#include "core/kernels/attention.h"

namespace shiftadd {
namespace {

struct HeadScores {
  HeadScores(const ScoreArgs<float>& args, int64_t head)
      : factor(static_cast<float>(args.codes == Codes::kBipolar2 ? args.scale / kBipolarSquare
                                                                 : args.scale)) {
    if (!args.temperature) return;
    const float given = args.temperature[head];
    temperature = given < kLeastTemperature ? kLeastTemperature : given;
    factor *= temperature;
  }
  float factor, temperature = 1;
};

}  // namespace
}  // namespace shiftadd
