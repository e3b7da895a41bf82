// What shiftadd-infer prints: predictions and evaluations as tables for people or JSON for
// programs.
#pragma once

#include <algorithm>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "core/evaluation.h"
#include "core/io/json_text.h"
#include "infer/predictions.h"
#include "infer/routing_counts.h"

namespace shiftadd::tools {

/// The names to print: the model's, or its indices.
inline std::vector<std::string> printed_names(const std::vector<std::string>& names,
                                              int64_t classes) {
  if (!names.empty()) return names;
  std::vector<std::string> numbers;
  for (int64_t i = 0; i < classes; ++i) numbers.push_back(std::to_string(i));
  return numbers;
}

/// {"tokens": N, "mult": SHARE, "shift": SHARE, "routers": [{"router": NAME, "tokens": ...}, ...]},
/// shares from 0 to 1.
inline nlohmann::ordered_json routing_json(const infer::RoutingCounts& counts) {
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

/// A table, a router a line; nothing for a network without routers.
inline void print_routing(std::ostream& out, const infer::RoutingCounts& counts) {
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

/// Prints predictions image by image: blocks of a table, or one JSON array with an object a line.
class PredictionWriter {
 public:
  PredictionWriter(std::ostream& out, std::vector<std::string> names, bool json)
      : out_(out), names_(std::move(names)), json_(json) {
    if (json_) out_ << "[";
  }

  /// routing: of this image alone; printed as JSON where the network has routers.
  void prediction(const std::string& image, const std::vector<infer::Prediction>& best,
                  const infer::RoutingCounts& routing) {
    if (json_) {
      nlohmann::ordered_json top = nlohmann::ordered_json::array();
      for (const infer::Prediction& each : best)
        top.push_back({{"class", names_[each.index]},
                       {"index", each.index},
                       {"probability", each.probability}});
      nlohmann::ordered_json json = {{"image", image}, {"top", top}};
      if (!routing.rows().empty()) json["routing"] = routing_json(routing);
      object(json);
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

  void broken(const std::string& image, const std::string& reason) {
    if (json_) object({{"image", image}, {"error", reason}});
  }

  void finish() {
    if (json_) out_ << (first_ ? "]\n" : "\n]\n");
  }

 private:
  void object(const nlohmann::ordered_json& json) {
    out_ << (first_ ? "\n" : ",\n") << json_text(json);
    first_ = false;
  }

  std::ostream& out_;
  std::vector<std::string> names_;
  bool json_, first_ = true;
};

struct EvaluationFigures {
  std::string set;
  int64_t broken;
  int threads;
  double seconds;
  infer::RoutingCounts routing;
};

/// Of no images there is no rate.
inline nlohmann::ordered_json rate_json(int64_t right, int64_t images) {
  return images ? nlohmann::ordered_json(Evaluation::percent(right, images)) : nullptr;
}

inline void print_evaluation(std::ostream& out, const Evaluation& evaluation,
                             const std::vector<std::string>& names,
                             const EvaluationFigures& figures, bool json) {
  const int64_t images = evaluation.images();
  const double speed = static_cast<double>(images) / std::max(figures.seconds, 1e-9);
  if (json) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto& each = evaluation.per_class()[i];
      rows.push_back({{"class", names[i]},
                      {"images", each.images},
                      {"top1", rate_json(each.top1, each.images)},
                      {"top5", rate_json(each.top5, each.images)}});
    }
    nlohmann::ordered_json report = {
        {"set", figures.set},
        {"images", images},
        {"broken", figures.broken},
        {"top1", rate_json(evaluation.top1_count(), images)},
        {"top5", rate_json(evaluation.top5_count(), images)},
        {"loss", images ? nlohmann::ordered_json(evaluation.loss()) : nullptr},
        {"images_per_second", speed},
        {"seconds", figures.seconds},
        {"threads", figures.threads},
        {"per_class", rows}};
    if (!figures.routing.rows().empty()) report["routing"] = routing_json(figures.routing);
    out << json_text(report) << "\n";
    return;
  }
  out << std::fixed << "images   " << images << "\n"
      << "top-1    " << Evaluation::percent_text(evaluation.top1_count(), images, " %") << "\n"
      << "top-5    " << Evaluation::percent_text(evaluation.top5_count(), images, " %") << "\n"
      << "loss     " << std::setprecision(4);
  if (images)
    out << evaluation.loss();
  else
    out << "-";
  out << "\n"
      << "speed    " << std::setprecision(1) << speed << " images/s (" << figures.threads
      << " threads)\n\n";
  std::size_t width = 5;
  for (const std::string& name : names) width = std::max(width, name.size());
  const int column = static_cast<int>(width);
  out << std::left << std::setw(column) << "class" << std::right << std::setw(10) << "images"
      << std::setw(12) << "top-1" << std::setw(12) << "top-5"
      << "\n"
      << std::setprecision(2);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto& each = evaluation.per_class()[i];
    out << std::left << std::setw(column) << names[i] << std::right << std::setw(10) << each.images
        << std::setw(12) << Evaluation::percent_text(each.top1, each.images, " %") << std::setw(12)
        << Evaluation::percent_text(each.top5, each.images, " %") << "\n";
  }
  print_routing(out, figures.routing);
}

}  // namespace shiftadd::tools
