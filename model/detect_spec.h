// The description of a network, as far as its tensors tell it.
#pragma once

#include <string>
#include <vector>

#include "model/spec_setting.h"
#include "model/translate.h"

namespace shiftadd {

struct DetectedSpec {
  ModelSpec spec;
  std::vector<std::string> known;     // "norm_eps 1e-12 (config.json)", "registers none (...)"
  std::vector<std::string> assumed;   // "heads 3 (width / 64)": what nothing says
  std::vector<std::string> problems;  // why there is no such network; empty: there is
};

/// The network whose tensors, under our names, are those of `translation`. What they do not tell is
/// given (the last setting of a key counts), or that of the dialect's publisher, or assumed. A part
/// that is absent from some blocks only, or that the dialect needs, is a problem that names it, and
/// so is a setting that the tensors contradict; docs/conversion.md lists what may be absent without
/// a trace.
DetectedSpec detect_spec(const Translation& translation, const std::vector<SpecSetting>& given);

/// What a network without a name is called: a known one like it, else its sizes.
std::string usual_name(const ModelSpec& spec);

}  // namespace shiftadd
