// See run_result.h.
#include "train/run_result.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/json_text.h"
#include "core/model/op_count.h"

namespace shiftadd::train {
namespace {

using nlohmann::ordered_json;

constexpr int kVersion = 1;

std::string formatted(const char* format, ...) __attribute__((format(printf, 1, 2)));
std::string formatted(const char* format, ...) {
  char text[256];
  va_list list;
  va_start(list, format);
  std::vsnprintf(text, sizeof text, format, list);
  va_end(list);
  return text;
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

ordered_json routers_json(const RunResult& result) {
  ordered_json routers = ordered_json::array();
  const std::vector<std::string> names = routers_of(result.spec);
  for (std::size_t i = 0; i < names.size(); ++i)
    routers.push_back({{"layer", names[i]}, {"shift_share", result.shift_shares[i]}});
  return routers;
}

// Mean and half width of the 95 % interval of the paired difference, in points.
struct Difference {
  double points, half_width;
};
Difference paired_difference(const std::string& right, const std::string& baseline) {
  const auto n = static_cast<double>(right.size());
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < right.size(); ++i) {
    const double d = right[i] - baseline[i];
    sum += d, squares += d * d;
  }
  const double average = sum / n;
  const double variance = n > 1 ? (squares - n * average * average) / (n - 1) : 0;
  return {100 * average, 100 * 1.96 * std::sqrt(variance / n)};
}

}  // namespace

RunResult make_result(const std::string& name, const ModelSpec& spec, const Validation& validation,
                      const std::string& data, const std::string& model_path) {
  return {.name = name,
          .spec = spec,
          .top1 = validation.answers.top1(),
          .top5 = validation.answers.top5(),
          .loss = validation.answers.loss(),
          .images = validation.answers.images(),
          .shift_shares = validation.shift_shares,
          .right = validation.right,
          .data = data,
          .model = sha256_of_file(model_path)};
}

void write_result(const std::string& folder, const RunResult& result) {
  const ModelCost cost = count_operations(result.spec, result.shift_shares);
  const ordered_json json = {{"version", kVersion},
                             {"name", result.name},
                             {"top1", result.top1},
                             {"top5", result.top5},
                             {"loss", result.loss},
                             {"images", result.images},
                             {"shift_share", mean(result.shift_shares)},
                             {"routers", routers_json(result)},
                             {"operations", to_json(cost)["total"]},
                             {"weight_bytes", cost.weight_bytes},
                             {"model", to_json(result.spec)},
                             {"model_sha256", result.model},
                             {"data", result.data},
                             {"right", result.right}};
  write_file(folder + "/result.json", json_text(json, 2) + "\n");
}

RunResult read_result(const std::string& folder) {
  const std::string path = folder + "/result.json";
  const std::string text = read_text(path);
  RunResult result;
  try {
    const ordered_json json = parse_ordered_json(text);
    if (json.at("version") != kVersion)
      throw user_error("has version ", json_text(json.at("version")), ", this program reads ",
                       kVersion);
    result.name = json.at("name");
    result.spec = spec_from_json(json.at("model"));
    result.top1 = json.at("top1");
    result.top5 = json.at("top5");
    result.loss = json.at("loss");
    result.images = json.at("images");
    result.right = json.at("right");
    result.data = json.at("data");
    result.model = json.at("model_sha256");
    for (const auto& router : json.at("routers"))
      result.shift_shares.push_back(router.at("shift_share"));
  } catch (const ordered_json::exception& error) {
    throw user_error(path, ": is no result of a run, or damaged: ", error.what());
  } catch (const Error& error) {
    throw user_error(path, ": is no result of a run, or damaged: ", error.what());
  }
  const int64_t right = std::count(result.right.begin(), result.right.end(), '1');
  const int64_t wrong = std::count(result.right.begin(), result.right.end(), '0');
  const bool shares = result.shift_shares.size() == routers_of(result.spec).size() &&
                      std::all_of(result.shift_shares.begin(), result.shift_shares.end(),
                                  [](double share) { return share >= 0 && share <= 1; });
  if (!shares || right + wrong != static_cast<int64_t>(result.right.size()) ||
      right + wrong != result.images ||
      std::abs(Evaluation::percent(right, result.images) - result.top1) > 1e-6)
    throw user_error(path, ": its shares or answers do not fit its figures: the file is damaged");
  return result;
}

std::string compare_results(const std::vector<RunResult>& results) {
  if (results.empty()) return "";
  const RunResult& baseline = results.front();
  const ModelCost base = count_operations(baseline.spec, baseline.shift_shares);
  const auto percent = [](double part, double whole) { return 100 * part / whole; };
  std::string table =
      "| run | top-1 % | top-5 % | difference, points | tokens on Shift % | mult M | of baseline % "
      "| add M | shift M | energy mJ (Eyeriss) | saved % | unit costs mJ | weights KiB |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|---|\n";
  for (const RunResult& result : results) {
    if (result.images != baseline.images || result.data != baseline.data)
      throw user_error(result.name, " was evaluated on other images than ", baseline.name, " (",
                       result.images, " and ", baseline.images, "): they cannot be compared");
    const ModelCost cost = count_operations(result.spec, result.shift_shares);
    const auto millions = [](int64_t n) { return 1e-6 * static_cast<double>(n); };
    table += "| " + result.name + formatted(" | %.2f | %.2f | ", result.top1, result.top5);
    if (&result == &baseline) {
      table += "baseline";
    } else {
      const Difference difference = paired_difference(result.right, baseline.right);
      table += formatted("%+.2f +- %.2f", difference.points, difference.half_width);
    }
    table += result.shift_shares.empty() ? " | -"
                                         : formatted(" | %.1f", 100 * mean(result.shift_shares));
    table += formatted(
        " | %.2f | %.1f", millions(cost.total.multiplications),
        percent(millions(cost.total.multiplications), millions(base.total.multiplications)));
    table +=
        formatted(" | %.2f | %.2f", millions(cost.total.additions), millions(cost.total.shifts));
    table +=
        formatted(" | %.4f | %.1f", cost.total.eyeriss.millijoules,
                  100 - percent(cost.total.eyeriss.millijoules, base.total.eyeriss.millijoules));
    table += formatted(" | %.4f | %.0f |\n", cost.total.unit_millijoules, cost.weight_bytes / 1024);
  }
  return table;
}

}  // namespace shiftadd::train
