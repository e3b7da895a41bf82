// Writes result.json, reads it back with checks, and makes the table that compares several runs.
#include "train/run_result.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/io/checksum.h"
#include "core/io/files.h"
#include "core/io/json_field.h"
#include "core/io/json_text.h"
#include "model/op_count.h"

namespace shiftadd::train {
namespace {

using nlohmann::ordered_json;

constexpr int kVersion = 1;
constexpr std::size_t kTableWidth = 100, kLeastName = 10;  // columns of a terminal

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
  const std::vector<std::string> names = router_names(result.spec);
  for (std::size_t i = 0; i < names.size(); ++i)
    routers.push_back({{"layer", names[i]}, {"shift_share", result.shift_shares[i]}});
  return routers;
}

// A Difference is the mean paired difference and the half width of its 95 % interval, in points.
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

// Counts the columns that a terminal shows, as if no character of a name were wide.
std::size_t columns_of(const std::string& text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

// Returns a name, or only its end where it is too long.
std::string shortened(std::string name, std::size_t most) {
  if (columns_of(name) <= most) return name;
  while (columns_of(name) + 3 > most || (name[0] & 0xC0) == 0x80) name.erase(0, 1);
  return "..." + name;
}

// Writes a Markdown table with aligned columns, whose first row is its head. Names in the first
// column are cut where a line would be wider than kTableWidth.
std::string table_text(std::vector<std::vector<std::string>> rows) {
  std::vector<std::size_t> widths(rows[0].size());
  const auto measure = [&](std::size_t column) {
    widths[column] = 0;
    for (const auto& row : rows) widths[column] = std::max(widths[column], columns_of(row[column]));
  };
  std::size_t beside = 4;  // the first column's bars and blanks
  for (std::size_t i = 1; i < widths.size(); ++i) measure(i), beside += widths[i] + 3;
  const std::size_t most = std::max(kLeastName, kTableWidth - std::min(kTableWidth, beside));
  for (auto& row : rows) row[0] = shortened(row[0], most);
  measure(0);
  std::string text;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const std::string blanks(widths[i] - columns_of(rows[r][i]), ' ');
      text += "| " + (i == 0 ? rows[r][i] + blanks : blanks + rows[r][i]) + " ";
    }
    text += "|\n";
    for (std::size_t i = 0; r == 0 && i < widths.size(); ++i)
      text += i == 0 ? "|" + std::string(widths[i] + 2, '-')
                     : "|" + std::string(widths[i] + 1, '-') + ":";
    if (r == 0) text += "|\n";
  }
  return text;
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
                             {"weights", result.weights},
                             {"data", result.data},
                             {"right", result.right}};
  write_file(folder + "/result.json", with_checksum(json_text(json, 2) + "\n"));
}

RunResult read_result(const std::string& folder) {
  const std::string path = folder + "/result.json";
  const std::string text = read_checked_json(path);
  RunResult result;
  try {
    const ordered_json json = parse_ordered_json(text);
    ordered_json version, model, routers;
    take_field(json, "version", version);
    if (version != kVersion)
      throw user_error("has version ", json_text(version), ", this program reads ", kVersion);
    take_field(json, "name", result.name);
    take_field(json, "model", model);
    result.spec = parse_model_spec(json_text(model), "model");
    take_field(json, "top1", result.top1);
    take_field(json, "top5", result.top5);
    take_field(json, "loss", result.loss);
    take_field(json, "images", result.images);
    take_field(json, "right", result.right);
    take_field(json, "data", result.data);
    take_field(json, "model_sha256", result.model);
    if (json.contains("weights")) take_field(json, "weights", result.weights);
    take_field(json, "routers", routers);
    for (const auto& router : routers)
      take_field(router, "shift_share", result.shift_shares.emplace_back());
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
  const auto millions = [](int64_t n) { return 1e-6 * static_cast<double>(n); };
  std::vector<std::vector<std::string>> rows = {
      {"run", "top-1 %", "difference", "Shift %", "mult M", "mult %", "mJ", "saved %", "KiB"}};
  for (const RunResult& result : results) {
    if (result.images != baseline.images || result.data != baseline.data)
      throw user_error(result.name, " was evaluated on other images than ", baseline.name, " (",
                       result.images, " and ", baseline.images, "): they cannot be compared");
    const ModelCost cost = count_operations(result.spec, result.shift_shares);
    const double mult = millions(cost.total.multiplications),
                 energy = cost.total.eyeriss.millijoules;
    const Difference difference = paired_difference(result.right, baseline.right);
    rows.push_back(
        {result.name, formatted("%.2f", result.top1),
         &result == &baseline
             ? "baseline"
             : formatted("%+.2f +- %.2f", difference.points, difference.half_width),
         result.shift_shares.empty() ? "-" : formatted("%.1f", 100 * mean(result.shift_shares)),
         formatted("%.2f", mult),
         formatted("%.1f", percent(mult, millions(base.total.multiplications))),
         formatted("%.3f", energy),
         formatted("%.1f", 100 - percent(energy, base.total.eyeriss.millijoules)),
         formatted("%.0f", cost.weight_bytes / 1024)});
  }
  std::string weights;
  for (const RunResult& result : results)
    if (!result.weights.empty())
      weights += shortened(result.name, kLeastName) + ": weights " + result.weights + "\n";
  return table_text(std::move(rows)) +
         "\nPer image. difference: of top-1 in points, with its 95 % interval. Shift %: tokens "
         "that "
         "routers\nsend to Shift. mult: multiplications, in percent of the first row's. mJ: energy "
         "in the Eyeriss\nmodel; saved: of the first row's. KiB: weights as deployed. More is in "
         "each run's result.json.\n" +
         (weights.empty() ? "" : "\n" + weights);
}

}  // namespace shiftadd::train
