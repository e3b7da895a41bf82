// One key of a network's description, given as text.
#pragma once

#include <string>

#include "model/model_spec.h"

namespace shiftadd {

/// `spec` with "KEY=VALUE" of list_options(ModelSpec), such as "heads=6" or "activation=relu". The
/// network that it makes is not checked. Throws Error (user) "--set KEY=VALUE: KEY: what is wrong",
/// with the nearest key for one that there is not.
ModelSpec with_setting(ModelSpec spec, const std::string& setting);

}  // namespace shiftadd
