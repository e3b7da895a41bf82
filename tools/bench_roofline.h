// shiftadd-bench roofline: the ceilings of this machine, of one core and of several.
#pragma once

#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/io/json_text.h"
#include "core/parallel.h"
#include "tools/bench_bandwidth.h"
#include "tools/bench_peak.h"
#include "tools/bench_timer.h"

namespace shiftadd::tools {

struct RooflineBench {
  int threads = available_cores();
  double seconds = 0.5;  // a ceiling
  bool json = false;
};

/// What a machine cannot exceed, in `unit`; 0 where its CPU lacks what it takes.
struct Ceiling {
  std::string key, what, unit, needs;
  double value = 0;
};

inline std::vector<Ceiling> measure_ceilings(const PeakPlan& plan) {
  const Isa best = supported(Isa::kAvx512) ? Isa::kAvx512
                   : supported(Isa::kAvx2) ? Isa::kAvx2
                                           : Isa::kGeneric;
  std::vector<Ceiling> ceilings = {
      {"float32_gflops", "float32 multiply-adds", "GFLOP/s", "AVX2", peak_gflops(best, plan)},
      {"bf16_vector_gflops", "bf16 dot products, vectors", "GFLOP/s", "AVX512-BF16",
       peak_bf16_gflops(plan)},
      {"bf16_tile_gflops", "bf16 products, tiles", "GFLOP/s", "AMX", peak_bf16_tile_gflops(plan)},
      {"int8_vector_gops", "int8 dot products, vectors", "GOP/s", "AVX512-VNNI",
       peak_int8_gops(plan)},
      {"int8_tile_gops", "int8 products, tiles", "GOP/s", "AMX", peak_int8_tile_gops(plan)}};
  const std::vector<MemoryLevel> levels = memory_levels();
  for (std::size_t i = 0; i < levels.size(); ++i)
    ceilings.push_back({concat("read_", levels[i].name, "_gb_per_s"),
                        "reads from " + levels[i].name, "GB/s", "",
                        read_bandwidth(levels, i, plan)});
  return ceilings;
}

inline int run_roofline_bench(const RooflineBench& options) {
  if (options.threads > available_cores())
    throw user_error("--threads ", options.threads, ": ceilings are of cores, and there are ",
                     available_cores());
  std::vector<int> counts = {1};
  if (options.threads > 1) counts.push_back(options.threads);
  std::vector<std::vector<Ceiling>> columns;
  for (const int threads : counts)
    columns.push_back(measure_ceilings({.threads = threads, .seconds = options.seconds}));
  nlohmann::ordered_json missing = nlohmann::ordered_json::array();
  for (const Ceiling& ceiling : columns[0])
    if (ceiling.value == 0)
      missing.push_back(concat(ceiling.what, ": this CPU has no ", ceiling.needs));
  if (options.json) {
    nlohmann::ordered_json measured = nlohmann::ordered_json::array();
    for (std::size_t i = 0; i < counts.size(); ++i) {
      nlohmann::ordered_json column = {{"threads", counts[i]}};
      for (const Ceiling& ceiling : columns[i])
        if (ceiling.value > 0) column[ceiling.key] = ceiling.value;
      measured.push_back(column);
    }
    nlohmann::ordered_json caches;
    for (const MemoryLevel& level : memory_levels())
      if (level.name != "DRAM") caches[level.name] = level.bytes;
    const nlohmann::ordered_json json = {{"cpu", cpu_name()},
                                         {"ceilings", measured},
                                         {"cache_bytes", caches},
                                         {"left_out", missing}};
    std::cout << json_text(json) << "\n";
    return 0;
  }
  std::cout << "Ceilings of " << cpu_name() << ": the best of many short runs\n"
            << std::left << std::setw(36) << "" << std::right;
  for (const int threads : counts)
    std::cout << std::setw(14) << (threads == 1 ? "1 core" : concat(threads, " cores"));
  std::cout << "\n" << std::fixed;
  for (std::size_t row = 0; row < columns[0].size(); ++row) {
    const Ceiling& ceiling = columns[0][row];
    if (ceiling.value == 0) continue;
    std::cout << "  " << std::left << std::setw(34) << ceiling.what << std::right;
    for (const auto& column : columns)
      std::cout << std::setw(14) << std::setprecision(column[row].value < 100 ? 1 : 0)
                << column[row].value;
    std::cout << " " << ceiling.unit << "\n";
  }
  for (const auto& line : missing) std::cout << "  left out: " << line.get<std::string>() << "\n";
  return 0;
}

}  // namespace shiftadd::tools
