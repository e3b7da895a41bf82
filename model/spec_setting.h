// One key of a network's description, given as text.
#pragma once

#include <string>
#include <vector>

#include "model/model_spec.h"

namespace shiftadd {

/// A key of a network's description, and who says so.
struct SpecSetting {
  std::string setting;  // "heads=3"
  std::string source;   // "--heads 3", "--set heads=3", "config.json"

  std::string key() const { return setting.substr(0, setting.find('=')); }
};

/// A setting that the user gives with --set.
SpecSetting set_option(const std::string& setting);

/// `spec` with "KEY=VALUE" of list_options(ModelSpec), such as "heads=6" or "activation=relu". The
/// network that it makes is not checked. Throws Error (user) "SOURCE: KEY: what is wrong", with the
/// nearest key for one that there is not.
ModelSpec with_setting(ModelSpec spec, const SpecSetting& setting);
/// The same for a setting that only our own tables and mapping files hold.
ModelSpec with_setting(ModelSpec spec, const std::string& setting);

/// Throws Error (user) that names two of the settings where they say different things of one key.
void require_agreement(const std::vector<SpecSetting>& settings);

}  // namespace shiftadd
