// Writes the table of a network.
#include <algorithm>
#include <iomanip>
#include <sstream>

#include "core/tensor.h"
#include "layers/model.h"

namespace shiftadd::layers {
namespace {

struct Row {
  std::string name, shape;
  int64_t parameters = 0, macs = 0;
};

// Both products of a block's attention: q k^T with v, or k^T v with q.
int64_t attention_macs(const BlockSpec& block) {
  const AttentionSpec& attention = block.attention;
  const int64_t keys = attention.local ? attention.head_dim : block.key_tokens();
  return 2 * block.tokens() * keys * block.width;
}

}  // namespace

std::string summary(const Network& network) {
  const std::vector<Parameter> parameters = parameters_of(network);
  std::vector<Row> rows;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Parameter& parameter = parameters[i];
    const int64_t count = element_count(parameter.shape);
    const bool own_row = parameter.shape.size() > 1 || parameter.role == Role::kNorm;
    if (own_row)
      rows.push_back({parameter.layer, concat(parameter.shape), count, parameter.uses * count});
    else  // a bias joins its weight's row
      rows.back().parameters += count;
    // What projects q, k and v stands before what projects the answer.
    const bool before_proj = i + 1 < parameters.size() &&
                             parameters[i + 1].id.layer == Layer::kProj &&
                             parameter.id.layer != Layer::kProj;
    if (before_proj) {
      const BlockSpec& block = block_at(network, parameter.id.block);
      rows.push_back({block.attention.name,
                      block.attention.local ? "q (k^T v)" : "softmax(q k^T) v", 0,
                      attention_macs(block)});
    }
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
