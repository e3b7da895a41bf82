// shiftadd-bench ops: the products of converted layers on one core, against the measured peak of
// int8 dot products.
#pragma once

#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/cpu/int8.h"
#include "core/cpu/packed_gemm.h"
#include "core/int8_matrix.h"
#include "core/io/json_text.h"
#include "core/kernels.h"
#include "core/parallel.h"
#include "tools/bench_mat_add.h"
#include "tools/bench_operands.h"
#include "tools/bench_peak.h"
#include "tools/bench_timer.h"

namespace shiftadd::tools {

struct OpsBench {
  double seconds = 0.3;  // a shape and variant
  bool json = false;
};

inline int run_ops_bench(const OpsBench& options) {
  set_num_threads(1);
  struct Case {
    const char* layer;
    int64_t tokens, inputs, outputs;
  };
  // DeiT-T at one image and at 32, and the MLPs of PVTv2-B0's stages.
  constexpr Case kCases[] = {
      {"qkv", 197, 192, 576},         {"proj", 197, 192, 192},        {"fc1", 197, 192, 768},
      {"fc2", 197, 768, 192},         {"qkv x 32", 6304, 192, 576},   {"fc1 x 32", 6304, 192, 768},
      {"fc2 x 32", 6304, 768, 192},   {"pvt stage 1", 3136, 32, 256}, {"pvt stage 2", 784, 64, 512},
      {"pvt stage 3", 196, 160, 640}, {"pvt stage 4", 49, 256, 1024}};
  const double peak = peak_int8_gops();
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const Case& each : kCases) {
    const int64_t m = each.tokens, k = each.inputs, n = each.outputs;
    const Tensor x = random_floats({m, k}, 1), weight = random_floats({n, k}, 2);
    const Tensor codes({m, k}, DType::kI8), scales({m}), y({m, n});
    cpu_kernels().quantize_tokens(
        {m, k, x.data<float>(), scales.data<float>(), nullptr, nullptr, codes.data<int8_t>()});
    const ShiftRows stored = shift_rows(weight);
    const DotMatrix matrix(stored);
    const PackedShift literal = pack_shift(weight);
    const PackedMatrix floats(weight.data<float>(), n, k);
    const double work = 2.0 * static_cast<double>(m * n * k);
    const auto gops = [&](auto body) {
      const Timing timing =
          time_calls({.seconds = options.seconds, .warm_up = 3, .max_runs = 1'000'000}, body);
      return work / (timing.min_ms * 1e6);  // the best run, as for the peak
    };
    const auto multiply = [&] {
      cpu_kernels().int8_gemm({.tokens = m,
                               .outputs = n,
                               .inputs = k,
                               .x = codes.data<int8_t>(),
                               .scales = scales.data<float>(),
                               .panels = matrix.panels.data<uint8_t>(),
                               .units = matrix.units.data<float>(),
                               .y = y.data<float>()});
    };
    const double kept = gops(multiply);
    const double expanded = gops([&] {
      cpu_kernels().expand_nibbles(
          {n, k, stored.nibbles.data<uint8_t>(), matrix.panels.data<uint8_t>()});
      multiply();
    });
    const double shifting = gops([&] {
      cpu_kernels().shift_gemm({m, n, k, codes.data<int8_t>(), scales.data<float>(),
                                literal.codes.data<uint8_t>(), literal.exponents.data<int32_t>(),
                                nullptr, nullptr, y.data<float>()});
    });
    const double multiplied =
        gops([&] { gemm_packed(x.data<float>(), k, m, floats, y.data<float>(), n); });
    rows.push_back({{"layer", each.layer},
                    {"tokens", m},
                    {"inputs", k},
                    {"outputs", n},
                    {"nibbles_gops", expanded},
                    {"panels_gops", kept},
                    {"vector_shifts_gops", shifting},
                    {"float32_gops", multiplied}});
  }
  const nlohmann::ordered_json additions = time_mat_add(options.seconds);
  if (options.json) {
    const nlohmann::ordered_json json = {
        {"int8_peak_gops", peak}, {"int8_unit", name_of(int8_unit())},
        {"isa", name_of(isa())},  {"cpu", cpu_name()},
        {"threads", 1},           {"shapes", rows},
        {"mat_add", additions}};
    std::cout << json_text(json) << "\n";
    return 0;
  }
  std::cout << "1 core of " << cpu_name() << ", int8 by " << name_of(int8_unit())
            << "; measured peak of its vector dot products " << std::fixed << std::setprecision(0)
            << peak
            << " GOP/s\nGOP/s, 2 a product and sum: 4-bit codes as stored, expanded in each "
            << "call; the same kept as int8 panels; shifted and added one by one; float32\n"
            << std::left << std::setw(14) << "layer" << std::right << std::setw(20)
            << "tokens x in x out" << std::setw(10) << "stored" << std::setw(9) << "of peak"
            << std::setw(10) << "panels" << std::setw(9) << "of peak" << std::setw(10) << "shifts"
            << std::setw(10) << "float32"
            << "\n";
  for (const auto& row : rows) {
    const auto number = [&](const char* key) { return row[key].get<double>(); };
    const auto share = [&](const char* key) {
      return peak > 0 ? concat(std::llround(100 * number(key) / peak), " %") : std::string("-");
    };
    std::cout << std::left << std::setw(14) << row["layer"].get<std::string>() << std::right
              << std::setw(20)
              << concat(row["tokens"].get<int64_t>(), " x ", row["inputs"].get<int64_t>(), " x ",
                        row["outputs"].get<int64_t>())
              << std::setw(10) << number("nibbles_gops") << std::setw(9) << share("nibbles_gops")
              << std::setw(10) << number("panels_gops") << std::setw(9) << share("panels_gops")
              << std::setw(10) << number("vector_shifts_gops") << std::setw(10)
              << number("float32_gops") << "\n";
  }
  print_mat_add(additions);
  return 0;
}

}  // namespace shiftadd::tools
