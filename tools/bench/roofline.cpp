// shiftadd-bench roofline: the ceilings of this machine, of one core and of several.
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/cpu/cpu_name.h"
#include "core/error.h"
#include "core/io/json_text.h"
#include "core/parallel.h"
#include "tools/bench/bandwidth.h"
#include "tools/bench/commands.h"
#include "tools/bench/peak.h"

namespace shiftadd::tools {
namespace {

struct RooflineOptions {
  int threads = available_cores();
  double seconds = 0.5;  // a ceiling
  bool json = false;
};

// What a machine cannot exceed, in `unit`; 0 where its CPU lacks what it takes.
struct Ceiling {
  std::string key, what, unit, needs;
  double value = 0;
};

// The ceilings of so many threads together.
struct Column {
  int threads;
  std::vector<Ceiling> ceilings;
};

std::vector<Ceiling> measure_ceilings(const PeakPlan& plan) {
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
  const std::vector<double> bandwidths = read_bandwidths(levels, plan);
  for (std::size_t i = 0; i < levels.size(); ++i)
    ceilings.push_back(
        {read_key(levels[i]), "reads from " + levels[i].name, "GB/s", "", bandwidths[i]});
  return ceilings;
}

// A line for each ceiling that this CPU does not have.
std::vector<std::string> left_out(const std::vector<Ceiling>& ceilings) {
  std::vector<std::string> lines;
  for (const Ceiling& ceiling : ceilings)
    if (ceiling.value == 0) lines.push_back(ceiling.what + ": this CPU has no " + ceiling.needs);
  return lines;
}

void print_json(const std::vector<Column>& columns) {
  nlohmann::ordered_json measured = nlohmann::ordered_json::array();
  for (const Column& column : columns) {
    nlohmann::ordered_json json = {{"threads", column.threads}};
    for (const Ceiling& ceiling : column.ceilings)
      if (ceiling.value > 0) json[ceiling.key] = ceiling.value;
    measured.push_back(json);
  }
  nlohmann::ordered_json caches;
  for (const MemoryLevel& level : memory_levels())
    if (level.name != "DRAM") caches[level.name] = level.bytes;
  const nlohmann::ordered_json json = {{"cpu", cpu_name()},
                                       {"ceilings", measured},
                                       {"cache_bytes", caches},
                                       {"left_out", left_out(columns[0].ceilings)}};
  std::cout << json_text(json) << "\n";
}

void print_table(const std::vector<Column>& columns) {
  std::cout << "Ceilings of " << cpu_name() << ": the best of many short runs\n"
            << std::left << std::setw(36) << "" << std::right;
  for (const auto& [threads, ceilings] : columns)
    std::cout << std::setw(14) << (threads == 1 ? "1 core" : concat(threads, " cores"));
  std::cout << "\n" << std::fixed;
  for (std::size_t row = 0; row < columns[0].ceilings.size(); ++row) {
    const Ceiling& first = columns[0].ceilings[row];
    if (first.value == 0) continue;
    std::cout << "  " << std::left << std::setw(34) << first.what << std::right;
    for (const Column& column : columns) {
      const double value = column.ceilings[row].value;
      std::cout << std::setw(14) << std::setprecision(value < 100 ? 1 : 0) << value;
    }
    std::cout << " " << first.unit << "\n";
  }
  for (const std::string& line : left_out(columns[0].ceilings))
    std::cout << "  left out: " << line << "\n";
}

int run_roofline(const RooflineOptions& options) {
  if (options.threads > available_cores())
    throw user_error("--threads ", options.threads, ": ceilings are of cores, and there are ",
                     available_cores());
  std::vector<int> counts = {1};
  if (options.threads > 1) counts.push_back(options.threads);
  std::vector<Column> columns;
  for (const int threads : counts)
    columns.push_back(
        {threads, measure_ceilings({.threads = threads, .seconds = options.seconds})});
  if (options.json)
    print_json(columns);
  else
    print_table(columns);
  return 0;
}

}  // namespace

void add_roofline(Commands& commands) {
  auto [command, options] = commands.add(
      "roofline",
      "This machine's ceilings, of one core and of --threads: float32, bf16 and int8 arithmetic, "
      "bytes read from each cache and from memory",
      run_roofline);
  command.threads(options.threads);
  command.seconds(options.seconds, "How long to sample each [0.5]");
  command.json(options.json);
}

}  // namespace shiftadd::tools
