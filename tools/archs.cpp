// Lists the networks that are known by name, with their sizes.
#include "tools/archs.h"

#include <algorithm>
#include <iomanip>

#include "core/error.h"
#include "model/hub_names.h"
#include "model/network.h"

namespace shiftadd::tools {

bool is_known_arch(const std::string& name) {
  const auto names = spec_names();
  return hub_network(name) || std::find(names.begin(), names.end(), name) != names.end();
}

void print_archs(std::ostream& out) {
  std::size_t width = 0;
  for (const std::string& name : spec_names()) width = std::max(width, name.size());
  const auto row = [&](const auto& name, const auto& parameters, const auto& size) {
    out << std::left << std::setw(static_cast<int>(width)) << name << std::right << std::setw(14)
        << parameters << std::setw(14) << size << "\n";
  };
  row("name", "parameters", "image size");
  for (const std::string& name : spec_names()) {
    const ModelSpec spec = named_spec(name);
    row(name, count_parameters(spec), concat(spec.image_size.height, "x", spec.image_size.width));
  }
  out << "Known, too, with the tag of their weights or without: vit_SIZE_patchP_S, "
         "deit_SIZE_patchP_S,\ndeit_SIZE_distilled_patchP_S, deit3_SIZE_patchP_S, "
         "vit_SIZE_patch14_dinov2 and\nvit_SIZE_patch14_reg4_dinov2, e.g. "
         "vit_base_patch16_224.augreg_in21k_ft_in1k.\n"
         "Any other network is described by a JSON file; see configs/models.\n";
}

}  // namespace shiftadd::tools
