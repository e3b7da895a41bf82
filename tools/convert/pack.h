// shiftadd-convert --pack: a trained model file into the one that is deployed.
#pragma once

#include <string>

#include "tools/outputs.h"

namespace shiftadd::tools {

struct PackOptions {
  std::string input, out, pack, multiply, calibrate;
};

/// Packs, compares with the trained model where there are images to calibrate on, and writes.
/// Returns the exit status.
int pack(const PackOptions& options, Outputs& outputs);

}  // namespace shiftadd::tools
