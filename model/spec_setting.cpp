// Reads "KEY=VALUE" over a network's description.
#include "model/spec_setting.h"

#include <map>

#include "core/config/options.h"
#include "core/config/source.h"

namespace shiftadd {

SpecSetting set_option(const std::string& setting) {
  return {setting, concat("--set ", setting.substr(0, 200))};
}

ModelSpec with_setting(ModelSpec spec, const SpecSetting& setting) {
  ConfigNode root;
  root.kind = ConfigNode::Kind::kObject;
  apply_override(root, setting.setting, setting.source);
  read_options(root, spec, [](ConfigVisitor& v, ModelSpec& read) { list_options(v, read); });
  return spec;
}

ModelSpec with_setting(ModelSpec spec, const std::string& setting) {
  return with_setting(std::move(spec), set_option(setting));
}

void require_agreement(const std::vector<SpecSetting>& settings) {
  std::map<std::string, const SpecSetting*> first;
  for (const SpecSetting& each : settings) {
    const auto [before, is_new] = first.emplace(each.key(), &each);
    if (!is_new && with_setting({}, each) != with_setting({}, *before->second))
      throw user_error(before->second->source, " and ", each.source, " say different things of ",
                       each.key(), ": give one of them");
  }
}

}  // namespace shiftadd
