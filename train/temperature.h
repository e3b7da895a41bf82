// Where the temperatures of new attention on codes start.
#pragma once

#include <vector>

#include "layers/module.h"
#include "model/network.h"

namespace shiftadd::train {

/// A temperature for each head: sum c l / sum c^2, where c are the products of `coded`'s codes of q
/// and k and l those of `dense`'s q and k, each less its mean over the keys, which softmax does not
/// see: the least squares of c t - l. Both traces are of attentions of the same sizes on the same
/// tokens; `attention` is the coded one's. At least kLeastTemperature.
std::vector<double> fitted_temperatures(const AttentionSpec& attention,
                                        const layers::AttentionTrace& coded,
                                        const layers::AttentionTrace& dense);

}  // namespace shiftadd::train
