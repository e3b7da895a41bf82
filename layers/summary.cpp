// The printed table of a network.
#include <algorithm>
#include <iomanip>
#include <sstream>

#include "layers/vit.h"

namespace shiftadd::layers {
namespace {

struct Row {
  std::string name, shape;
  int64_t parameters = 0, macs = 0;
};

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// How often a weight is applied to one image; 0: no product (norms, positions).
int64_t applications(const ModelSpec& spec, const std::string& layer, const Shape& weight) {
  if (weight.size() == 4) return spec.grid() * spec.grid();
  if (weight.size() != 2) return 0;
  return layer == "head" ? 1 : spec.tokens();
}

}  // namespace

std::string summary(const Vit& model) {
  const ModelSpec& spec = model.spec();
  std::vector<Row> rows;
  for (const auto& [name, parameter] : model.named_parameters()) {
    const int64_t count = parameter.value().numel();
    if (ends_with(name, ".bias")) {  // joins its weight's row
      const std::string layer = name.substr(0, name.size() - 5);
      const auto same = [&](const Row& row) { return row.name == layer; };
      std::find_if(rows.begin(), rows.end(), same)->parameters += count;
      continue;
    }
    const std::string layer = ends_with(name, ".weight") ? name.substr(0, name.size() - 7) : name;
    rows.push_back({layer, concat(parameter.shape()), count,
                    applications(spec, layer, parameter.shape()) * count});
    if (ends_with(layer, ".qkv"))  // q k^T and the product with v, over all heads
      rows.push_back({layer.substr(0, layer.size() - 4), "softmax(q k^T) v", 0,
                      2 * spec.tokens() * spec.tokens() * spec.width});
  }
  Row total{"total", "", 0, 0};
  std::size_t name_width = 5, shape_width = 5;
  for (const Row& row : rows) {
    total.parameters += row.parameters;
    total.macs += row.macs;
    name_width = std::max(name_width, row.name.size());
    shape_width = std::max(shape_width, row.shape.size());
  }
  std::ostringstream out;
  const auto line = [&](const std::string& name, const std::string& shape, const auto& parameters,
                        const auto& macs) {
    out << std::left << std::setw(static_cast<int>(name_width) + 2) << name
        << std::setw(static_cast<int>(shape_width) + 2) << shape << std::right << std::setw(12)
        << parameters << std::setw(16) << macs << '\n';
  };
  line("layer", "shape", "parameters", "MACs/image");
  for (const Row& row : rows) line(row.name, row.shape, row.parameters, row.macs);
  line(total.name, total.shape, total.parameters, total.macs);
  return out.str();
}

}  // namespace shiftadd::layers
