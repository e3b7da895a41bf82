// Prints the best classes of each image, or the reason why it could not be read.
#include "tools/report/predictions.h"

#include <algorithm>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <utility>

#include "tools/report/routing.h"

namespace shiftadd::tools {

std::vector<std::string> printed_names(const std::vector<std::string>& names, int64_t classes) {
  if (!names.empty()) return names;
  std::vector<std::string> numbers;
  for (int64_t i = 0; i < classes; ++i) numbers.push_back(std::to_string(i));
  return numbers;
}

PredictionWriter::PredictionWriter(std::ostream& out, std::vector<std::string> names, bool json)
    : out_(out), names_(std::move(names)) {
  if (json) json_.emplace(out);
}

void PredictionWriter::prediction(const std::string& image,
                                  const std::vector<infer::Prediction>& best,
                                  const infer::RoutingCounts& routing) {
  if (json_) {
    nlohmann::ordered_json top = nlohmann::ordered_json::array();
    for (const infer::Prediction& each : best)
      top.push_back({{"class", names_[each.index]},
                     {"index", each.index},
                     {"probability", each.probability}});
    nlohmann::ordered_json json = {{"image", image}, {"top", top}};
    if (!routing.rows().empty()) json["routing"] = routing_json(routing);
    json_->add(json);
    return;
  }
  out_ << image << "\n";
  std::size_t width = 0;
  for (const infer::Prediction& each : best) width = std::max(width, names_[each.index].size());
  int rank = 0;
  for (const infer::Prediction& each : best)
    out_ << std::setw(5) << ++rank << "  " << std::left << std::setw(static_cast<int>(width))
         << names_[each.index] << std::right << std::fixed << std::setprecision(2) << std::setw(9)
         << 100 * each.probability << " %\n";
}

void PredictionWriter::broken(const std::string& image, const std::string& reason) {
  if (json_) json_->add({{"image", image}, {"error", reason}});
}

void PredictionWriter::finish() {
  if (json_) json_->finish();
}

}  // namespace shiftadd::tools
