// Prints the routers' counts of tokens and their shares.
#include "tools/report/routing.h"

#include <algorithm>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/evaluation.h"

namespace shiftadd::tools {

nlohmann::ordered_json routing_json(const infer::RoutingCounts& counts) {
  const auto shares = [](const infer::RoutingCounts::Row& row) {
    const double shift = row.shift_share();
    return nlohmann::ordered_json{
        {"tokens", row.tokens()}, {"mult", row.tokens() ? 1 - shift : 0}, {"shift", shift}};
  };
  nlohmann::ordered_json json = shares(counts.total());
  json["routers"] = nlohmann::ordered_json::array();
  for (const infer::RoutingCounts::Row& row : counts.rows()) {
    nlohmann::ordered_json each = {{"router", row.router}};
    each.update(shares(row));
    json["routers"].push_back(each);
  }
  return json;
}

void print_routing(std::ostream& out, const infer::RoutingCounts& counts) {
  std::vector<infer::RoutingCounts::Row> rows = counts.rows();
  if (rows.empty() || !counts.total().tokens()) return;
  rows.push_back(counts.total());
  std::size_t width = 6;
  for (const auto& row : rows) width = std::max(width, row.router.size());
  const int column = static_cast<int>(width);
  out << "\n"
      << std::left << std::setw(column) << "router" << std::right << std::setw(12) << "tokens"
      << std::setw(12) << "Mult" << std::setw(12) << "Shift"
      << "\n"
      << std::fixed << std::setprecision(2);
  for (const auto& row : rows)
    out << std::left << std::setw(column) << row.router << std::right << std::setw(12)
        << row.tokens() << std::setw(10) << Evaluation::percent(row.mult, row.tokens()) << " %"
        << std::setw(10) << Evaluation::percent(row.shift, row.tokens()) << " %\n";
}

}  // namespace shiftadd::tools
