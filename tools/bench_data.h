// shiftadd-bench data: the input pipeline on one core, each stage apart.
#pragma once

#include <array>
#include <chrono>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/json_text.h"
#include "data/decode.h"
#include "data/preprocess.h"
#include "data/resize.h"
#include "infer/inputs.h"
#include "tools/bench_timer.h"

namespace shiftadd::tools {

struct DataBench {
  std::string folder;
  Preprocess preprocess{.interpolation = Interpolation::kBilinear};
  double seconds = 5;
  bool json = false;
};

/// The window of evaluation's resize and centre crop, as torchvision rounds it.
inline data::Image resized_crop(const data::Image& image, const Preprocess& p) {
  const double scale =
      static_cast<double>(p.resize) / static_cast<double>(std::min(image.width, image.height));
  const auto side = [&](int64_t length, int64_t other) {
    return length <= other ? p.resize : static_cast<int64_t>(scale * static_cast<double>(length));
  };
  const int64_t width = side(image.width, image.height), height = side(image.height, image.width);
  const auto offset = [&](int64_t length) {
    return std::llrint(static_cast<double>(length - p.crop) / 2);
  };
  return data::resize_window(image, width, height, p.interpolation, offset(width), offset(height),
                             p.crop, p.crop);
}

inline int run_data_bench(const DataBench& options) {
  const Preprocess& p = options.preprocess;
  if (p.crop > p.resize) throw user_error("--crop ", p.crop, " is larger than --resize ", p.resize);
  std::istringstream nothing;
  const std::vector<std::string> files = infer::list_images({options.folder}, nothing);

  enum Stage { kRead, kDecode, kResize, kNormalise, kWhole, kStages };
  constexpr std::array<const char*, kStages> kNames = {"read", "decode", "resize and crop",
                                                       "normalise", "whole pipeline"};
  std::array<std::vector<double>, kStages> passes;  // milliseconds of each pass over all files
  std::vector<float> out(3 * p.crop * p.crop);
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  constexpr std::size_t kMinPasses = 3;
  for (std::size_t pass = 0;
       passes[0].size() < kMinPasses ||
       std::chrono::duration<double>(Clock::now() - begin).count() < options.seconds;
       ++pass) {
    std::array<double, kStages> ms{};
    const auto timed = [&](Stage stage, auto body) {
      const auto start = Clock::now();
      auto result = body();
      ms[stage] += std::chrono::duration<double, std::milli>(Clock::now() - start).count();
      return result;
    };
    for (const std::string& file : files) {
      const auto bytes = timed(kRead, [&] { return read_file(file); });
      const data::Image image = timed(kDecode, [&] { return data::decode_image(bytes, file); });
      const data::Image crop = timed(kResize, [&] { return resized_crop(image, p); });
      timed(kNormalise, [&] { return data::normalise(crop, p, out.data()), 0; });
      timed(kWhole, [&] {
        const auto again = read_file(file);
        return data::preprocess_image(data::decode_image(again, file), p, out.data()), 0;
      });
    }
    if (pass == 0) continue;  // warm-up: files come from disk, memory is new
    for (int stage = 0; stage < kStages; ++stage) passes[stage].push_back(ms[stage]);
  }

  nlohmann::ordered_json stages;
  const auto count = static_cast<double>(files.size());
  for (int stage = 0; stage < kWhole; ++stage)
    stages[kNames[stage]] = summarise(passes[stage]).median_ms / count;
  const Timing whole = summarise(passes[kWhole]);
  const double speed = 1e3 * count / whole.median_ms;
  if (options.json) {
    const nlohmann::ordered_json json = {{"images", files.size()},
                                         {"passes", whole.runs},
                                         {"ms_median", whole.median_ms / count},
                                         {"ms_p90", whole.p90_ms / count},
                                         {"ms_p99", whole.p99_ms / count},
                                         {"images_per_second", speed},
                                         {"stages_ms", stages},
                                         {"jpeg_decoder", data::jpeg_decoder()},
                                         {"cpu", cpu_name()}};
    std::cout << json_text(json) << "\n";
    return 0;
  }
  std::cout << files.size() << " images, " << whole.runs << " passes, 1 core of " << cpu_name()
            << ", JPEG by " << data::jpeg_decoder() << "\n"
            << std::fixed << std::setprecision(3);
  for (int stage = 0; stage < kWhole; ++stage)
    std::cout << "  " << std::left << std::setw(16) << kNames[stage] << std::right << std::setw(8)
              << stages[kNames[stage]].get<double>() << " ms an image\n";
  std::cout << "  " << std::left << std::setw(16) << kNames[kWhole] << std::right << std::setw(8)
            << whole.median_ms / count << " ms an image (P50; P90 " << whole.p90_ms / count
            << ", P99 " << whole.p99_ms / count << "): " << std::setprecision(1) << speed
            << " images/s a core\n";
  return 0;
}

}  // namespace shiftadd::tools
