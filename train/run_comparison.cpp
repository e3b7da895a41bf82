// Makes the table that compares runs, and measures runs on other images than their own.
#include "train/run_comparison.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <iterator>

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

bool is_digit(char c) { return c >= '0' && c <= '9'; }

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

// Returns the length of the folders that all names lie in, with their last slash.
std::size_t common_folders(const std::vector<RunGroup>& groups) {
  const std::string& first = groups[0].name;
  std::size_t common = first.rfind('/') + 1;  // 0 where there is none
  for (const RunGroup& group : groups)
    while (common > 0 && group.name.compare(0, common, first, 0, common) != 0)
      common = common < 2 ? 0 : first.rfind('/', common - 2) + 1;
  return common;
}

// The row of each name that the table shows otherwise than it is, in full.
std::string names_text(const std::vector<RunGroup>& groups,
                       const std::vector<std::vector<std::string>>& rows) {
  std::string text;
  const bool listed = groups[0].seeds.size() > 1;  // below, by seeds_text
  for (std::size_t i = 0; i < groups.size(); ++i)
    if (rows[i + 1][0] != groups[i].name &&
        !(listed && columns_of(groups[i].name) <= kTableWidth / 2))
      text += concat("Row ", i + 1, ": ", groups[i].name, "\n");
  return text.empty() ? "" : "\n" + text;
}

// Writes a Markdown table with aligned columns, whose first row is its head. Names in the first
// column are cut where a line would be wider than kTableWidth: without the folders that all lie in,
// whose length is `common`, and then to what fits.
std::string table_text(std::vector<std::vector<std::string>>& rows, std::size_t common) {
  std::vector<std::size_t> widths(rows[0].size());
  const auto measure = [&](std::size_t column) {
    widths[column] = 0;
    for (const auto& row : rows) widths[column] = std::max(widths[column], columns_of(row[column]));
  };
  std::size_t beside = 4;  // the first column's bars and blanks
  for (std::size_t i = 1; i < widths.size(); ++i) measure(i), beside += widths[i] + 3;
  const std::size_t most = std::max(kLeastName, kTableWidth - std::min(kTableWidth, beside));
  measure(0);
  if (widths[0] > most)
    for (std::size_t r = 1; r < rows.size(); ++r) rows[r][0].erase(0, common);
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

// Half of the 95 % interval of the mean of few values, by Student's t.
double student_half_width(const std::vector<double>& values) {
  constexpr double kQuantiles[] = {12.706, 4.303, 3.182, 2.776, 2.571,
                                   2.447,  2.365, 2.306, 2.262, 2.228};  // of 1 to 10 freedoms
  const auto n = static_cast<double>(values.size());
  double sum = 0, squares = 0;
  for (const double value : values) sum += value;
  for (const double value : values) squares += (value - sum / n) * (value - sum / n);
  const std::size_t freedoms = values.size() - 1;
  const double quantile = freedoms <= std::size(kQuantiles)
                              ? kQuantiles[freedoms - 1]
                              : 1.96 + 2.5 / static_cast<double>(freedoms);  // within 0.02
  return quantile * std::sqrt(squares / (n - 1) / n);
}

// What each seed came to, a line a group; of single runs, whether their seeds differ.
std::string seeds_text(const std::vector<RunGroup>& groups) {
  const std::vector<RunResult>& base = groups[0].seeds;
  std::string text;
  if (base.size() == 1) {
    for (const RunGroup& group : groups)
      if (const auto& seed = group.seeds[0].seed, &first = base[0].seed;
          seed && first && *seed != *first)
        text += concat(shortened(group.name, kTableWidth / 2), ": seed ", *seed,
                       ", and the baseline's is ", *first, "\n");
    return text.empty() ? "" : "\n" + text;
  }
  text = concat("\nMeans of ", base.size(), " seeds");
  for (std::size_t i = 0; i < base.size() && base[i].seed; ++i)
    text += concat(i == 0 ? ": " : ", ", *base[i].seed);
  text +=
      ". The intervals above are over images, and do not hold what a seed does to\nall images "
      "alike. seeds +-: the 95 % interval of the mean by the seeds' differences alone. top-1\nof "
      "each seed:\n";
  for (const RunGroup& group : groups) {
    text += shortened(group.name, kTableWidth / 2) + ":";
    std::vector<double> differences;
    for (std::size_t i = 0; i < group.seeds.size(); ++i) {
      const double top1 = group.seeds[i].top1;
      text += formatted(" %.2f", top1);
      differences.push_back(top1 - base[i].top1);
      if (&group != &groups[0]) text += formatted(" (%+.2f)", differences.back());
    }
    if (&group != &groups[0]) text += formatted("; seeds +- %.2f", student_half_width(differences));
    text += "\n";
  }
  return text;
}

std::string measured_weights(const std::vector<RunGroup>& groups) {
  std::string text;
  for (const RunGroup& group : groups)
    for (const RunResult& run : group.seeds)
      if (!run.weights.empty())
        text += shortened(run.name, kTableWidth / 2) + ": weights " + run.weights + "\n";
  return text.empty() ? "" : "\n" + text;
}

}  // namespace

std::string group_name(const std::vector<RunResult>& seeds) {
  const std::string& first = seeds[0].name;
  if (seeds.size() == 1) return first;
  std::size_t begin = first.size(), end = first.size(), least = first.size();
  for (const RunResult& run : seeds) {
    const std::string& name = run.name;
    least = std::min(least, name.size());
    std::size_t same = 0;
    while (same < std::min(begin, name.size()) && name[same] == first[same]) ++same;
    begin = same;
    same = 0;
    while (same < std::min(end, name.size()) &&
           name[name.size() - 1 - same] == first[first.size() - 1 - same])
      ++same;
    end = same;
  }
  // A number is one thing: 11 and 12 differ in all of it.
  while (begin > 0 && is_digit(first[begin - 1])) --begin;
  while (end > 0 && is_digit(first[first.size() - end])) --end;
  bool one_part = begin + end > 0 && begin + end < least;
  for (const RunResult& run : seeds)
    one_part = one_part && run.name.find('/', begin) >= run.name.size() - end;
  if (!one_part) return concat(first, " and ", seeds.size() - 1, " more");
  return first.substr(0, begin) + "*" + first.substr(first.size() - end);
}

void require_equal_seeds(const std::vector<RunGroup>& groups) {
  const RunGroup& base = groups[0];
  const auto count = [](const RunGroup& group) {
    return concat(group.seeds.size(), group.seeds.size() == 1 ? " run" : " runs");
  };
  for (const RunGroup& group : groups) {
    if (group.seeds.size() != base.seeds.size())
      throw user_error(group.name, ": ", count(group), "; ", base.name, ": ", count(base),
                       ": give as many for each row, one for each seed, in the same order");
    for (std::size_t i = 0; base.seeds.size() > 1 && i < base.seeds.size(); ++i) {
      const RunResult &run = group.seeds[i], &partner = base.seeds[i];
      if (run.seed && partner.seed && *run.seed != *partner.seed)
        throw user_error(run.name, " has seed ", *run.seed, ", and ", partner.name,
                         ", which it is paired with, has ", *partner.seed,
                         ": give the runs of every row in the same order of their seeds");
    }
  }
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
  const std::string table = table_text(rows, common_folders(groups));
  return table +
         "\nPer image. difference: of top-1 in points, with its 95 % interval over images, paired "
         "by "
         "image.\nShift %: tokens that routers send to Shift. mult: multiplications, in percent of "
         "the first row's.\nmJ: energy in the Eyeriss model; saved: of the first row's. KiB: "
         "weights "
         "as deployed. More is in\neach run's result.json.\n" +
         names_text(groups, rows) + seeds_text(groups) + measured_weights(groups);
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
  const std::optional<Validation> validation =
      evaluate({.model = model,
                .set = images,
                .loader = loader,
                .name = path,
                .report = validation_report(reporter, folder),
                .classes = std::move(classes)},
               stop);
  if (!validation) return std::nullopt;
  RunResult result = make_result(trained.name, file.spec, *validation, images.digest(), path);
  result.weights = trained.weights;
  result.seed = trained.seed;
  return result;
}

}  // namespace shiftadd::train
