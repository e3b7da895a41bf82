// Names under which training scripts keep a moving average of the weights beside the weights.
#pragma once

#include <string_view>

namespace shiftadd {

/// True where one of the name's words (between dots and underscores) says so: ema, swa, average,
/// averaged, avg, momentum, polyak, shadow. "model_ema", "ema.module." and so on.
bool is_average_name(std::string_view name);

}  // namespace shiftadd
