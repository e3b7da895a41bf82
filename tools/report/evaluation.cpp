// Prints accuracy, loss and speed of an evaluation, and the accuracy of each class.
#include "tools/report/evaluation.h"

#include <algorithm>
#include <iomanip>
#include <nlohmann/json.hpp>

#include "core/io/json_text.h"
#include "tools/report/routing.h"

namespace shiftadd::tools {
namespace {

double images_per_second(const Evaluation& evaluation, const EvaluationFigures& figures) {
  return static_cast<double>(evaluation.images()) / std::max(figures.seconds, 1e-9);
}

// Of no images there is no rate.
nlohmann::ordered_json rate_json(int64_t right, int64_t images) {
  return images ? nlohmann::ordered_json(Evaluation::percent(right, images)) : nullptr;
}

void print_json(std::ostream& out, const Evaluation& evaluation,
                const std::vector<std::string>& names, const EvaluationFigures& figures) {
  const int64_t images = evaluation.images();
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
      {"images_per_second", images_per_second(evaluation, figures)},
      {"seconds", figures.seconds},
      {"threads", figures.threads},
      {"per_class", rows}};
  if (!figures.routing.rows().empty()) report["routing"] = routing_json(figures.routing);
  out << json_text(report) << "\n";
}

void print_classes(std::ostream& out, const Evaluation& evaluation,
                   const std::vector<std::string>& names) {
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
}

void print_table(std::ostream& out, const Evaluation& evaluation,
                 const std::vector<std::string>& names, const EvaluationFigures& figures) {
  const int64_t images = evaluation.images();
  out << std::fixed << "images   " << images << "\n"
      << "top-1    " << Evaluation::percent_text(evaluation.top1_count(), images, " %") << "\n"
      << "top-5    " << Evaluation::percent_text(evaluation.top5_count(), images, " %") << "\n"
      << "loss     " << std::setprecision(4);
  if (images)
    out << evaluation.loss();
  else
    out << "-";
  out << "\n"
      << "speed    " << std::setprecision(1) << images_per_second(evaluation, figures)
      << " images/s (" << figures.threads << " threads)\n\n";
  print_classes(out, evaluation, names);
  print_routing(out, figures.routing);
}

}  // namespace

void print_evaluation(std::ostream& out, const Evaluation& evaluation,
                      const std::vector<std::string>& names, const EvaluationFigures& figures,
                      bool json) {
  if (json)
    print_json(out, evaluation, names, figures);
  else
    print_table(out, evaluation, names, figures);
}

}  // namespace shiftadd::tools
