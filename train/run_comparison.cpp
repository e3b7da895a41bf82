// Makes the table that compares runs, and measures runs on other images than their own.
#include "train/run_comparison.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>

#include "core/class_names.h"
#include "core/error.h"
#include "core/io/files.h"
#include "data/loader.h"
#include "layers/model.h"
#include "model/model_file.h"
#include "model/op_count.h"

namespace shiftadd::train {
namespace {

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

// A Difference is the mean paired difference and the half width of its 95 % interval, in points.
struct Difference {
  double points, half_width;
};

// Of each image the mean over the runs counts; the interval is that of the mean over images.
Difference paired_difference(const RunGroup& group, const RunGroup& baseline) {
  const auto n = static_cast<double>(group.seeds[0].right.size());
  const auto runs = static_cast<double>(group.seeds.size());
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < group.seeds[0].right.size(); ++i) {
    double d = 0;
    for (std::size_t run = 0; run < group.seeds.size(); ++run)
      d += (group.seeds[run].right[i] - baseline.seeds[run].right[i]) / runs;
    sum += d, squares += d * d;
  }
  const double average = sum / n;
  const double deviations = std::max(0.0, squares - n * average * average);  // rounding apart
  const double variance = n > 1 ? deviations / (n - 1) : 0;
  return {100 * average, 100 * 1.96 * std::sqrt(variance / n)};
}

// The means of a group's runs.
struct Means {
  double top1 = 0, shift_share = 0, multiplications = 0, millijoules = 0, bytes = 0;
};
Means means_of(const RunGroup& group) {
  Means means;
  const auto runs = static_cast<double>(group.seeds.size());
  for (const RunResult& run : group.seeds) {
    const ModelCost cost = count_operations(run.spec, run.shift_shares);
    means.top1 += run.top1 / runs;
    means.shift_share += mean_share(run.shift_shares) / runs;
    means.multiplications += static_cast<double>(cost.total.multiplications) / runs;
    means.millijoules += cost.total.eyeriss.millijoules / runs;
    means.bytes += cost.weight_bytes / runs;
  }
  return means;
}

void require_same_images(const RunGroup& group, const RunGroup& baseline) {
  const RunResult& first = baseline.seeds[0];
  for (const RunResult& run : group.seeds)
    if (run.images != first.images || run.data != first.data)
      throw user_error(run.name, " was evaluated on other images than ", first.name, " (",
                       run.images, " and ", first.images, "): they cannot be compared");
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

// What each seed came to, a line a group; nothing where there is one seed.
std::string seeds_text(const std::vector<RunGroup>& groups) {
  if (groups[0].seeds.size() == 1) return "";
  std::string text = concat("\nMeans of ", groups[0].seeds.size(), " seeds. top-1 of each:\n");
  for (const RunGroup& group : groups) {
    text += shortened(group.name, kTableWidth / 2) + ":";
    for (std::size_t i = 0; i < group.seeds.size(); ++i) {
      const double top1 = group.seeds[i].top1;
      text += formatted(" %.2f", top1);
      if (&group != &groups[0]) text += formatted(" (%+.2f)", top1 - groups[0].seeds[i].top1);
    }
    text += "\n";
  }
  return text;
}

std::string measured_weights(const std::vector<RunGroup>& groups) {
  std::string text;
  for (const RunGroup& group : groups)
    for (const RunResult& run : group.seeds)
      if (!run.weights.empty())
        text += shortened(run.name, kLeastName) + ": weights " + run.weights + "\n";
  return text.empty() ? "" : "\n" + text;
}

}  // namespace

void require_equal_seeds(const std::vector<RunGroup>& groups) {
  for (const RunGroup& group : groups)
    if (group.seeds.size() != groups[0].seeds.size())
      throw user_error(group.name, " has ", group.seeds.size(), " runs, and ", groups[0].name, " ",
                       groups[0].seeds.size(),
                       ": give as many for each, one for each seed, in the same order");
}

std::string compare_results(const std::vector<RunGroup>& groups) {
  if (groups.empty()) return "";
  require_equal_seeds(groups);
  const RunGroup& baseline = groups.front();
  const Means base = means_of(baseline);
  std::vector<std::vector<std::string>> rows = {
      {"run", "top-1 %", "difference", "Shift %", "mult M", "mult %", "mJ", "saved %", "KiB"}};
  for (const RunGroup& group : groups) {
    require_same_images(group, baseline);
    const Means means = means_of(group);
    const Difference difference = paired_difference(group, baseline);
    const bool routed = !group.seeds[0].shift_shares.empty();
    rows.push_back({group.name, formatted("%.2f", means.top1),
                    &group == &baseline
                        ? "baseline"
                        : formatted("%+.2f +- %.2f", difference.points, difference.half_width),
                    routed ? formatted("%.1f", 100 * means.shift_share) : "-",
                    formatted("%.2f", 1e-6 * means.multiplications),
                    formatted("%.1f", 100 * means.multiplications / base.multiplications),
                    formatted("%.3f", means.millijoules),
                    formatted("%.1f", 100 - 100 * means.millijoules / base.millijoules),
                    formatted("%.0f", means.bytes / 1024)});
  }
  return table_text(std::move(rows)) +
         "\nPer image. difference: of top-1 in points, with its 95 % interval. Shift %: tokens "
         "that routers\nsend to Shift. mult: multiplications, in percent of the first row's. mJ: "
         "energy "
         "in the Eyeriss\nmodel; saved: of the first row's. KiB: weights as deployed. More is in "
         "each run's result.json.\n" +
         seeds_text(groups) + measured_weights(groups);
}

std::optional<RunResult> evaluate_run(const std::string& folder, const RunResult& trained,
                                      const data::ImageFolder& images, Reporter& reporter,
                                      const std::atomic<bool>& stop) {
  const std::string path = folder + "/model.safetensors";
  const ModelFile file = load_model(path);
  if (sha256_of_file(path) != trained.model)
    throw user_error(path, ": is not the model that ", folder,
                     "/result.json tells of: it was written by another run, or changed");
  std::vector<int64_t> classes = match_classes(file.classes, file.class_ids, file.spec.classes,
                                               images.classes(), images.path());
  layers::Model model(file.spec, layers::ModelOptions{}, 0);
  model.load_state_dict(file.weights);
  data::LoaderOptions options;
  options.training = false;
  options.preprocess = file.preprocess;
  data::Loader loader(images, options);
  const std::optional<Validation> validation = evaluate({.model = model,
                                                         .set = images,
                                                         .loader = loader,
                                                         .name = path,
                                                         .report = validation_report(reporter),
                                                         .classes = std::move(classes)},
                                                        stop);
  if (!validation) return std::nullopt;
  RunResult result = make_result(trained.name, file.spec, *validation, images.digest(), path);
  result.weights = trained.weights;
  return result;
}

}  // namespace shiftadd::train
