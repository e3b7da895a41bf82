// shiftadd-bench gemm: the matrix products of DeiT-T on one core, against Eigen and the machine's
// peak.
#pragma once

#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/cpu/packed_gemm.h"
#include "core/io/json_text.h"
#include "core/kernels.h"
#include "core/parallel.h"
#include "core/tensor.h"
#include "infer/peer_gemm.h"
#include "tools/bench_operands.h"
#include "tools/bench_peak.h"
#include "tools/bench_timer.h"

namespace shiftadd::tools {

struct GemmBench {
  double seconds = 0.5;  // a shape and variant
  bool json = false;
};

inline int run_gemm_bench(const GemmBench& options) {
  set_num_threads(1);
  struct Case {
    const char* layer;
    int64_t m, n, k;
  };
  constexpr Case kCases[] = {{"patches", 196, 192, 768},       {"qkv", 197, 576, 192},
                             {"proj", 197, 192, 192},          {"fc1", 197, 768, 192},
                             {"fc2", 197, 192, 768},           {"qkv, batch 16", 3152, 576, 192},
                             {"fc2, batch 16", 3152, 192, 768}};
  const double peak = peak_gflops(isa());
  const bool eigen = isa() == Isa::kAvx512;
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const Case& each : kCases) {
    const Tensor a = random_floats({each.m, each.k}, 1),
                 weight = random_floats({each.n, each.k}, 2);
    const Tensor c({each.m, each.n});
    const PackedMatrix packed(weight.data<float>(), each.n, each.k);
    const double flops = 2.0 * static_cast<double>(each.m * each.n * each.k);
    const auto gflops = [&](auto body) {
      const Timing timing =
          time_calls({.seconds = options.seconds, .warm_up = 5, .max_runs = 1'000'000}, body);
      return flops / (timing.min_ms * 1e6);  // the best run, as for the peak
    };
    const double ours = gflops(
        [&] { gemm_packed(a.data<float>(), each.k, each.m, packed, c.data<float>(), each.n); });
    const double unpacked = gflops([&] {
      cpu_kernels().gemm({.m = each.m,
                          .n = each.n,
                          .k = each.k,
                          .a = a.data<float>(),
                          .lda = each.k,
                          .transpose_a = false,
                          .b = weight.data<float>(),
                          .ldb = each.k,
                          .transpose_b = true,
                          .c = c.data<float>(),
                          .ldc = each.n});
    });
    nlohmann::ordered_json row = {{"layer", each.layer},   {"m", each.m},
                                  {"n", each.n},           {"k", each.k},
                                  {"packed_gflops", ours}, {"unpacked_gflops", unpacked}};
    if (eigen) {
      row["eigen_gflops"] = gflops([&] {
        infer::eigen_product_avx512(each.m, each.n, each.k, a.data<float>(), weight.data<float>(),
                                    c.data<float>());
      });
      row["ratio_to_eigen"] = ours / row["eigen_gflops"].get<double>();
    }
    if (peak > 0) row["percent_of_peak"] = 100 * ours / peak;
    rows.push_back(row);
  }
  if (options.json) {
    const nlohmann::ordered_json json = {{"peak_gflops", peak}, {"isa", name_of(isa())},
                                         {"cpu", cpu_name()},   {"threads", 1},
                                         {"eigen", "3.4"},      {"shapes", rows}};
    std::cout << json_text(json) << "\n";
    return 0;
  }
  std::cout << "1 core of " << cpu_name() << ", " << name_of(isa()) << ", float32; measured peak "
            << std::fixed << std::setprecision(1) << peak << " GFLOP/s\n"
            << std::left << std::setw(16) << "layer" << std::right << std::setw(18) << "m x n x k"
            << std::setw(10) << "packed" << std::setw(10) << "of peak" << std::setw(10)
            << "unpacked" << std::setw(10) << "Eigen" << std::setw(12) << "to Eigen"
            << "\n";
  for (const auto& row : rows) {
    const std::string shape = concat(row["m"].get<int64_t>(), " x ", row["n"].get<int64_t>(), " x ",
                                     row["k"].get<int64_t>());
    const auto number = [&](const char* key, const char* unit) {
      std::ostringstream text;
      if (row.contains(key))
        text << std::fixed << std::setprecision(*unit == 'x' ? 2 : 1) << row[key].get<double>()
             << unit;
      return row.contains(key) ? text.str() : std::string("-");
    };
    std::cout << std::left << std::setw(16) << row["layer"].get<std::string>() << std::right
              << std::setw(18) << shape << std::setw(10) << number("packed_gflops", "")
              << std::setw(10) << number("percent_of_peak", " %") << std::setw(10)
              << number("unpacked_gflops", "") << std::setw(10) << number("eigen_gflops", "")
              << std::setw(12) << number("ratio_to_eigen", "x") << "\n";
  }
  return 0;
}

}  // namespace shiftadd::tools
