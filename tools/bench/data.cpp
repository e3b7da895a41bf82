// shiftadd-bench data: the input pipeline on one core, each stage apart.
#include <algorithm>
#include <array>
#include <chrono>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "core/cpu/cpu_name.h"
#include "core/error.h"
#include "core/io/files.h"
#include "core/io/json_text.h"
#include "data/decode.h"
#include "data/list_images.h"
#include "data/preprocess.h"
#include "tools/bench/commands.h"
#include "tools/bench/timer.h"

namespace shiftadd::tools {
namespace {

struct DataOptions {
  std::string folder;
  Preprocess preprocess{.interpolation = Interpolation::kBilinear};
  double seconds = 5;
  bool json = false;
};

enum Stage { kRead, kDecode, kResize, kNormalise, kWhole, kStages };
constexpr std::array<const char*, kStages> kNames = {"read", "decode", "resize and crop",
                                                     "normalise", "whole pipeline"};
// Milliseconds of each stage.
using StageTimes = std::array<double, kStages>;

// Takes each file through all stages, one after another, and once more through the whole pipeline.
StageTimes time_pass(const std::vector<std::string>& files, const Preprocess& p,
                     std::vector<float>& out) {
  using Clock = std::chrono::steady_clock;
  StageTimes ms{};
  const auto timed = [&](Stage stage, auto body) {
    const auto start = Clock::now();
    auto result = body();
    ms[stage] += std::chrono::duration<double, std::milli>(Clock::now() - start).count();
    return result;
  };
  for (const std::string& file : files) {
    const auto bytes = timed(kRead, [&] { return read_file(file); });
    const data::Image image = timed(kDecode, [&] { return data::decode_image(bytes, file); });
    const data::Image crop = timed(kResize, [&] { return data::evaluation_crop(image, p); });
    timed(kNormalise, [&] { return data::normalise(crop, p, out.data()), 0; });
    timed(kWhole, [&] {
      const auto again = read_file(file);
      return data::preprocess_image(data::decode_image(again, file), p, out.data()), 0;
    });
  }
  return ms;
}

// A pass over all files is a run of the timing; its milliseconds are divided by the files.
struct DataFigures {
  std::size_t images = 0;
  StageTimes stages{};  // medians
  Timing whole;

  double images_per_second() const { return 1e3 / whole.median_ms; }
};

DataFigures measure(const std::vector<std::string>& files, const DataOptions& options) {
  const Preprocess& p = options.preprocess;
  std::array<std::vector<double>, kStages> passes;
  std::vector<float> out(static_cast<std::size_t>(p.values()));
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  constexpr std::size_t kMinPasses = 3;
  for (std::size_t pass = 0;
       passes[0].size() < kMinPasses ||
       std::chrono::duration<double>(Clock::now() - begin).count() < options.seconds;
       ++pass) {
    const StageTimes ms = time_pass(files, p, out);
    if (pass == 0) continue;  // warm-up: files come from disk, memory is new
    for (int stage = 0; stage < kStages; ++stage) passes[stage].push_back(ms[stage]);
  }
  const auto count = static_cast<double>(files.size());
  DataFigures figures;
  figures.images = files.size();
  for (int stage = 0; stage < kWhole; ++stage)
    figures.stages[stage] = summarise(passes[stage]).median_ms / count;
  figures.whole = summarise(passes[kWhole]);
  for (double* each : {&figures.whole.median_ms, &figures.whole.p90_ms, &figures.whole.p99_ms})
    *each /= count;
  return figures;
}

void print_json(const DataFigures& figures) {
  nlohmann::ordered_json stages;
  for (int stage = 0; stage < kWhole; ++stage) stages[kNames[stage]] = figures.stages[stage];
  const nlohmann::ordered_json json = {{"images", figures.images},
                                       {"passes", figures.whole.runs},
                                       {"ms_median", figures.whole.median_ms},
                                       {"ms_p90", figures.whole.p90_ms},
                                       {"ms_p99", figures.whole.p99_ms},
                                       {"images_per_second", figures.images_per_second()},
                                       {"stages_ms", stages},
                                       {"jpeg_decoder", data::jpeg_decoder()},
                                       {"cpu", cpu_name()}};
  std::cout << json_text(json) << "\n";
}

void print_table(const DataFigures& figures) {
  const auto start_row = [](int stage) -> std::ostream& {
    return std::cout << "  " << std::left << std::setw(16) << kNames[stage] << std::right
                     << std::setw(8);
  };
  std::cout << figures.images << " images, " << figures.whole.runs << " passes, 1 core of "
            << cpu_name() << ", JPEG by " << data::jpeg_decoder() << "\n"
            << std::fixed << std::setprecision(3);
  for (int stage = 0; stage < kWhole; ++stage)
    start_row(stage) << figures.stages[stage] << " ms an image\n";
  start_row(kWhole) << figures.whole.median_ms << " ms an image (P50; P90 " << figures.whole.p90_ms
                    << ", P99 " << figures.whole.p99_ms << "): " << std::setprecision(1)
                    << figures.images_per_second() << " images/s a core\n";
}

int run_data(const DataOptions& options) {
  const Preprocess& p = options.preprocess;
  if (p.crop.longer() > p.resize)
    throw user_error("--crop ", p.crop, " is larger than --resize ", p.resize);
  std::istringstream nothing;
  const DataFigures figures = measure(data::list_images({options.folder}, nothing), options);
  if (options.json)
    print_json(figures);
  else
    print_table(figures);
  return 0;
}

}  // namespace

void add_data(Commands& commands) {
  auto [command, options] =
      commands.add("data", "Decode, resize, crop and normalise the images of a folder", run_data);
  command.argument("folder", options.folder, "A folder of images", "DIR");
  command.integer("--resize", options.preprocess.resize, "Shorter side [256]", 10'000);
  command.size("--crop", options.preprocess.crop, "Crop, height first where it is no square [224]",
               10'000);
  command.seconds(options.seconds, "How long to sample, at least three passes [5]");
  command.json(options.json);
}

}  // namespace shiftadd::tools
