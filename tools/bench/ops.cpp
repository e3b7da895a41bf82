// shiftadd-bench ops: the products of converted layers on one core, against the measured peak of
// int8 dot products.
#include <cmath>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/cpu/cpu_name.h"
#include "core/cpu/int8.h"
#include "core/cpu/packed_gemm.h"
#include "core/error.h"
#include "core/int8_matrix.h"
#include "core/io/json_text.h"
#include "core/kernels.h"
#include "core/parallel.h"
#include "tools/bench/commands.h"
#include "tools/bench/kernels/kernels.h"
#include "tools/bench/mat_add.h"
#include "tools/bench/operands.h"
#include "tools/bench/peak.h"
#include "tools/bench/timer.h"

namespace shiftadd::tools {
namespace {

struct OpsOptions {
  double seconds = 0.3;  // a shape and variant
  bool json = false;
};

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

// GOP/s of one product, each of its best run, as for the peak.
struct Speeds {
  double nibbles = 0, panels = 0, vector_shifts = 0, float32 = 0;
};

Speeds time_case(const Case& each, double seconds) {
  const int64_t m = each.tokens, k = each.inputs, n = each.outputs;
  const Tensor x = random_floats({m, k}, 1), weight = random_floats({n, k}, 2);
  const Tensor quantized({m, k}, DType::kI8), scales({m}), y({m, n});
  cpu_kernels().quantize_tokens(
      {m, k, x.data<float>(), scales.data<float>(), nullptr, nullptr, quantized.data<int8_t>()});
  const ShiftRows stored = shift_rows(weight);
  const DotMatrix matrix(stored);
  const PackedShift literal = pack_shift(weight);
  const PackedMatrix floats(weight.data<float>(), n, k);
  const auto gops = [&](auto body) {
    return best_call_rate({.seconds = seconds, .warm_up = 3, .max_runs = 1'000'000},
                          2.0 * static_cast<double>(m * n * k), body);
  };
  const auto multiply = [&] {
    cpu_kernels().int8_gemm({.tokens = m,
                             .outputs = n,
                             .inputs = k,
                             .x = quantized.data<int8_t>(),
                             .scales = scales.data<float>(),
                             .panels = matrix.panels.data<uint8_t>(),
                             .row_scales = matrix.row_scales.data<float>(),
                             .y = y.data<float>()});
  };
  Speeds speeds;
  speeds.panels = gops(multiply);
  speeds.nibbles = gops([&] {
    cpu_kernels().expand_nibbles(
        {n, k, stored.nibbles.data<uint8_t>(), matrix.panels.data<uint8_t>()});
    multiply();
  });
  speeds.vector_shifts = gops([&] {
    bench_kernels().shift_gemm({m, n, k, quantized.data<int8_t>(), scales.data<float>(),
                                literal.codes.data<uint8_t>(), literal.exponents.data<int32_t>(),
                                nullptr, nullptr, y.data<float>()});
  });
  speeds.float32 = gops([&] { gemm_packed(x.data<float>(), k, m, floats, y.data<float>(), n); });
  return speeds;
}

void print_json(const std::vector<Speeds>& measured, double peak,
                const nlohmann::ordered_json& additions) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < measured.size(); ++i)
    rows.push_back({{"layer", kCases[i].layer},
                    {"tokens", kCases[i].tokens},
                    {"inputs", kCases[i].inputs},
                    {"outputs", kCases[i].outputs},
                    {"nibbles_gops", measured[i].nibbles},
                    {"panels_gops", measured[i].panels},
                    {"vector_shifts_gops", measured[i].vector_shifts},
                    {"float32_gops", measured[i].float32}});
  const nlohmann::ordered_json json = {
      {"int8_peak_gops", peak}, {"int8_unit", name_of(int8_unit())},
      {"isa", name_of(isa())},  {"cpu", cpu_name()},
      {"threads", 1},           {"shapes", rows},
      {"mat_add", additions}};
  std::cout << json_text(json) << "\n";
}

void print_table(const std::vector<Speeds>& measured, double peak) {
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
  const auto share = [&](double speed) {
    return peak > 0 ? concat(std::llround(100 * speed / peak), " %") : std::string("-");
  };
  for (std::size_t i = 0; i < measured.size(); ++i) {
    const auto& [layer, tokens, inputs, outputs] = kCases[i];
    const Speeds& speeds = measured[i];
    std::cout << std::left << std::setw(14) << layer << std::right << std::setw(20)
              << concat(tokens, " x ", inputs, " x ", outputs) << std::setw(10) << speeds.nibbles
              << std::setw(9) << share(speeds.nibbles) << std::setw(10) << speeds.panels
              << std::setw(9) << share(speeds.panels) << std::setw(10) << speeds.vector_shifts
              << std::setw(10) << speeds.float32 << "\n";
  }
}

int run_ops(const OpsOptions& options) {
  set_num_threads(1);
  const double peak = peak_int8_gops();
  std::vector<Speeds> measured;
  for (const Case& each : kCases) measured.push_back(time_case(each, options.seconds));
  const nlohmann::ordered_json additions = time_mat_add(options.seconds);
  if (options.json) {
    print_json(measured, peak, additions);
  } else {
    print_table(measured, peak);
    print_mat_add(additions);
  }
  return 0;
}

}  // namespace

void add_ops(Commands& commands) {
  auto [command, options] = commands.add(
      "ops",
      "The products of Shift layers at DeiT-T's and PVTv2-B0's shapes, in 4-bit codes, int8 "
      "and vector shifts, against the machine's int8 peak",
      run_ops);
  command.seconds(options.seconds, "How long to sample each product [0.3]");
  command.json(options.json);
}

}  // namespace shiftadd::tools
