// Reads "KEY=VALUE" over a network's description.
#include "model/spec_setting.h"

#include "core/config/options.h"
#include "core/config/source.h"

namespace shiftadd {

ModelSpec with_setting(ModelSpec spec, const std::string& setting) {
  ConfigNode root;
  root.kind = ConfigNode::Kind::kObject;
  apply_override(root, setting);
  read_options(root, spec, [](ConfigVisitor& v, ModelSpec& read) { list_options(v, read); });
  return spec;
}

}  // namespace shiftadd
