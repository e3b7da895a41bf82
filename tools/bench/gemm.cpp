// shiftadd-bench gemm: the matrix products of DeiT-T on one core, against Eigen and the machine's
// peak.
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/cpu/cpu_name.h"
#include "core/cpu/packed_gemm.h"
#include "core/error.h"
#include "core/io/json_text.h"
#include "core/kernels.h"
#include "core/parallel.h"
#include "core/tensor.h"
#include "tools/bench/commands.h"
#include "tools/bench/operands.h"
#include "tools/bench/peak.h"
#include "tools/bench/peer_gemm.h"
#include "tools/bench/timer.h"
#include "tools/report/figure.h"

namespace shiftadd::tools {
namespace {

struct GemmOptions {
  double seconds = 0.5;  // a shape and variant
  bool json = false;
};

struct Case {
  const char* layer;
  int64_t m, n, k;
};
constexpr Case kCases[] = {{"patches", 196, 192, 768},       {"qkv", 197, 576, 192},
                           {"proj", 197, 192, 192},          {"fc1", 197, 768, 192},
                           {"fc2", 197, 192, 768},           {"qkv, batch 16", 3152, 576, 192},
                           {"fc2, batch 16", 3152, 192, 768}};

// GFLOP/s of one product, each of its best run, as for the peak.
struct Speeds {
  double packed = 0, unpacked = 0;
  std::optional<double> eigen;
};

Speeds time_case(const Case& each, double seconds) {
  const auto& [layer, m, n, k] = each;
  const Tensor a = random_floats({m, k}, 1), weight = random_floats({n, k}, 2), c({m, n});
  const PackedMatrix packed(weight.data<float>(), n, k);
  const auto gflops = [&](auto body) {
    return best_call_rate({.seconds = seconds, .warm_up = 5, .max_runs = 1'000'000},
                          2.0 * static_cast<double>(each.m * each.n * each.k), body);
  };
  Speeds speeds;
  speeds.packed = gflops(
      [&] { gemm_packed(a.data<float>(), each.k, each.m, packed, c.data<float>(), each.n); });
  const GemmArgs<float> args = {.m = m,
                                .n = n,
                                .k = k,
                                .a = a.data<float>(),
                                .lda = k,
                                .transpose_a = false,
                                .b = weight.data<float>(),
                                .ldb = k,
                                .transpose_b = true,
                                .c = c.data<float>(),
                                .ldc = n};
  speeds.unpacked = gflops([&] { cpu_kernels().gemm(args); });
  if (isa() == Isa::kAvx512)
    speeds.eigen = gflops([&] {
      eigen_product_avx512(each.m, each.n, each.k, a.data<float>(), weight.data<float>(),
                           c.data<float>());
    });
  return speeds;
}

void print_json(const std::vector<Speeds>& measured, double peak) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < measured.size(); ++i) {
    const auto& [layer, m, n, k] = kCases[i];
    const Speeds& speeds = measured[i];
    nlohmann::ordered_json row = {{"layer", layer},
                                  {"m", m},
                                  {"n", n},
                                  {"k", k},
                                  {"packed_gflops", speeds.packed},
                                  {"unpacked_gflops", speeds.unpacked}};
    if (speeds.eigen) {
      row["eigen_gflops"] = *speeds.eigen;
      row["ratio_to_eigen"] = speeds.packed / *speeds.eigen;
    }
    if (peak > 0) row["percent_of_peak"] = 100 * speeds.packed / peak;
    rows.push_back(std::move(row));
  }
  const nlohmann::ordered_json json = {{"peak_gflops", peak}, {"isa", name_of(isa())},
                                       {"cpu", cpu_name()},   {"threads", 1},
                                       {"eigen", "3.4"},      {"shapes", rows}};
  std::cout << json_text(json) << "\n";
}

void print_table(const std::vector<Speeds>& measured, double peak) {
  std::cout << "1 core of " << cpu_name() << ", " << name_of(isa()) << ", float32; measured peak "
            << std::fixed << std::setprecision(1) << peak << " GFLOP/s\n"
            << std::left << std::setw(16) << "layer" << std::right << std::setw(18) << "m x n x k"
            << std::setw(10) << "packed" << std::setw(10) << "of peak" << std::setw(10)
            << "unpacked" << std::setw(10) << "Eigen" << std::setw(12) << "to Eigen"
            << "\n";
  for (std::size_t i = 0; i < measured.size(); ++i) {
    const auto& [layer, m, n, k] = kCases[i];
    const Speeds& speeds = measured[i];
    std::optional<double> percent, ratio;
    if (peak > 0) percent = 100 * speeds.packed / peak;
    if (speeds.eigen) ratio = speeds.packed / *speeds.eigen;
    std::cout << std::left << std::setw(16) << layer << std::right << std::setw(18)
              << concat(m, " x ", n, " x ", k) << std::setw(10) << figure(speeds.packed, 1)
              << std::setw(10) << figure(percent, 1, " %") << std::setw(10)
              << figure(speeds.unpacked, 1) << std::setw(10) << figure(speeds.eigen, 1)
              << std::setw(12) << figure(ratio, 2, "x") << "\n";
  }
}

int run_gemm(const GemmOptions& options) {
  set_num_threads(1);
  const double peak = peak_gflops(isa());
  std::vector<Speeds> measured;
  for (const Case& each : kCases) measured.push_back(time_case(each, options.seconds));
  if (options.json)
    print_json(measured, peak);
  else
    print_table(measured, peak);
  return 0;
}

}  // namespace

void add_gemm(Commands& commands) {
  auto [command, options] = commands.add(
      "gemm", "Matrix products at DeiT-T's shapes against Eigen and the peak", run_gemm);
  command.seconds(options.seconds, "How long to sample each product [0.5]");
  command.json(options.json);
}

}  // namespace shiftadd::tools
