// The description of a network, as far as its tensors tell it.
#pragma once

#include <string>
#include <vector>

#include "model/translate.h"

namespace shiftadd {

/// A key of a network's description that the tensors need not tell, and who says so.
struct SpecSetting {
  std::string setting;  // "heads=3"
  std::string source;   // "--heads", "config.json"
};

struct DetectedSpec {
  ModelSpec spec;
  std::vector<std::string> known;     // "norm_eps 1e-12 (config.json)": what was given
  std::vector<std::string> assumed;   // "heads 3 (width / 64)": what nothing says
  std::vector<std::string> problems;  // why there is no such network; empty: there is
};

/// The network whose tensors, under our names, are those of `translation`. What they do not tell is
/// given (the last setting of a key counts), or that of the dialect's publisher, or assumed. A part
/// that is absent from some blocks only, or that the dialect needs, is a problem that names it;
/// docs/conversion.md lists what may be absent without a trace.
DetectedSpec detect_spec(const Translation& translation, const std::vector<SpecSetting>& given);

}  // namespace shiftadd
