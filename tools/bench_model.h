// shiftadd-bench model: the time and memory of a forward pass or a training step.
#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/cpu/bf16.h"
#include "core/cpu/isa.h"
#include "core/io/json_text.h"
#include "core/memory.h"
#include "core/memory_limit.h"
#include "core/model/model_file.h"
#include "core/parallel.h"
#include "core/random.h"
#include "infer/session.h"
#include "tools/bench_layers.h"
#include "tools/bench_timer.h"
#include "train/benchmark.h"

namespace shiftadd::tools {

struct ModelBench {
  std::string model, precision = "float32";
  int64_t batch = 1;
  int threads = available_cores();
  bool train = false, json = false;
  std::string layers;       // a row for each of "kinds" of layers, or "all"; empty: no table
  std::string multiply;     // inference: what layers that multiply compute in; a packed file's own
  double shift_share = -1;  // of every router; below 0: its own choice
  double seconds = 3;
};

/// Weights as a trained network's in size: unit-gain matrices, norms of 1.
inline ModelFile random_model(const ModelSpec& spec) {
  ModelFile model;
  model.spec = spec;
  uint64_t stream = 0;
  for (const ParameterInfo& info : parameters_of(spec)) {
    Tensor value(info.shape);
    const RandomStream random(0, stream++);
    const bool norm = info.name.find("norm") != std::string::npos && info.name.ends_with("weight");
    const double inputs = static_cast<double>(value.numel()) / static_cast<double>(info.shape[0]);
    for (int64_t i = 0; i < value.numel(); ++i)  // uniform with variance 1 / inputs
      value.data<float>()[i] =
          norm ? 1.0f : static_cast<float>((random.uniform(i) - 0.5) * std::sqrt(12 / inputs));
    model.weights.emplace_back(info.name, value);
  }
  return model;
}

/// A model file, or random weights for the name or JSON of an architecture.
inline ModelFile open_or_make(const std::string& name) {
  const bool file = std::filesystem::is_regular_file(name) && !name.ends_with(".json");
  if (!file && name.ends_with(".safetensors")) throw user_error(name, ": no such file");
  if (file) return load_any_model(name);
  const ModelSpec spec = load_spec(name);
  double values = 0;
  for (const ParameterInfo& info : parameters_of(spec)) {
    double size = 1;
    for (const int64_t each : info.shape) size *= static_cast<double>(each);
    values += size;
  }
  require_memory(
      "the network '" + spec.name + "'",
      {{"weights", values * sizeof(float), "its width, depth, mlp_hidden or image_size"}});
  return random_model(spec);
}

/// The same network without conversion, in float32 and in int8, random weights; then, if it is
/// converted, itself.
inline std::vector<LayersNetwork> with_dense_ones(infer::Session session) {
  ModelSpec dense = session.spec();
  dense.shift_add = {};
  std::vector<LayersNetwork> networks;
  for (const char* const format : {"float32", "int8"})
    networks.emplace_back(concat("dense ", format),
                          infer::Session(pack_model(random_model(dense), pack_in(format))));
  if (session.spec().converted())
    networks.emplace_back(concat("ShiftAdd, products in ", name_of(session.pack().multiply)),
                          std::move(session));
  return networks;
}

/// What was run, apart from the program's own share of each figure.
struct ModelFigures {
  std::string precision;  // of the products
  Timing timing;
  double images_per_second = 0, gflops = 0;
  int64_t peak_rss_bytes = 0;
  int64_t arena_bytes = 0;  // inference: one thread's arena
};

inline ModelFigures bench_inference(const ModelBench& options, infer::Session& session) {
  const ModelSpec& spec = session.spec();
  const auto side = static_cast<double>(spec.image_size);
  require_memory(concat("a batch of ", options.batch),
                 {{"images",
                   static_cast<double>(options.batch) * static_cast<double>(spec.in_channels) *
                       side * side * sizeof(float),
                   "--batch, or the network's image_size"}});
  Tensor images({options.batch, spec.in_channels, spec.image_size, spec.image_size});
  const RandomStream random(1, 0);
  for (int64_t i = 0; i < images.numel(); ++i) images.data<float>()[i] = 2 * random.uniform(i) - 1;
  Tensor logits({options.batch, spec.classes});
  const auto forward = [&] {
    session.run(images.data<float>(), options.batch, logits.data<float>());
  };
  ModelFigures figures;
  figures.precision = name_of(session.pack().multiply);
  figures.timing = time_calls({.seconds = options.seconds}, forward);
  figures.images_per_second = 1e3 * static_cast<double>(options.batch) / figures.timing.median_ms;
  figures.gflops = 2e-9 * static_cast<double>(session.macs_per_image()) * figures.images_per_second;
  figures.peak_rss_bytes = peak_rss_bytes();
  figures.arena_bytes = session.arena_floats() * static_cast<int64_t>(sizeof(float));
  return figures;
}

inline ModelFigures bench_training(const ModelBench& options, const ModelSpec& spec) {
  ModelFigures figures;
  figures.precision = options.precision;
  // Two steps tell how many fit into the time wanted; each series begins with a warm-up step.
  const auto precision =
      options.precision == "bf16" ? train::Precision::kBf16 : train::Precision::kFloat32;
  const double estimate =
      train::time_training_steps(spec, options.batch, 2, precision).seconds.back();
  const int steps = static_cast<int>(std::clamp(options.seconds / estimate, 5.0, 1000.0));
  std::vector<double> ms =
      train::time_training_steps(spec, options.batch, steps + 1, precision).seconds;
  ms.erase(ms.begin());
  for (double& each : ms) each *= 1e3;
  figures.timing = summarise(std::move(ms));
  figures.images_per_second = 1e3 * static_cast<double>(options.batch) / figures.timing.median_ms;
  figures.peak_rss_bytes = peak_rss_bytes();
  // Backward multiplies twice as much as forward.
  figures.gflops = 6e-9 * static_cast<double>(count_macs(spec).total()) * figures.images_per_second;
  return figures;
}

inline nlohmann::ordered_json to_json(const ModelBench& options, const ModelSpec& spec,
                                      const ModelFigures& figures) {
  nlohmann::ordered_json json = {
      {"model", options.model},
      {"mode", options.train ? "training" : "inference"},
      {"precision", figures.precision},
      {"batch", options.batch},
      {"threads", options.threads},
      {"parameters", count_parameters(spec)},
      {"macs_per_image", count_macs(spec).total()},
      {"runs", figures.timing.runs},
      {"ms_median", figures.timing.median_ms},
      {"ms_p90", figures.timing.p90_ms},
      {"ms_p99", figures.timing.p99_ms},
      {"ms_min", figures.timing.min_ms},
      {"images_per_second", figures.images_per_second},
      {"gflops", figures.gflops},
      {"peak_rss_mib", static_cast<double>(figures.peak_rss_bytes) / (1 << 20)},
      {"isa", name_of(isa())},
      {"bf16_unit", options.precision == "bf16" ? name_of(bf16_unit()) : "unused"},
      {"cpu", cpu_name()}};
  if (!options.train) json["cpu_ms_median"] = figures.timing.cpu_ms;
  if (!options.train) json["arena_mib"] = static_cast<double>(figures.arena_bytes) / (1 << 20);
  return json;
}

inline int run_model_bench(const ModelBench& options) {
  if (options.precision == "bf16" && !options.train)
    throw user_error("--precision bf16 is of training steps: add --train");
  if (options.precision == "bf16" && bf16_unit() == Bf16Unit::kNone)
    throw user_error("--precision bf16: this CPU has no bf16 products (AVX512-BF16 or AMX)");
  set_num_threads(options.threads);
  if (options.train && (!options.multiply.empty() || options.shift_share >= 0))
    throw user_error("--multiply and --shift-share are of inference: leave out --train");
  ModelFile model = open_or_make(options.model);
  const ModelSpec spec = model.spec;
  if (options.train && model.pack)
    throw user_error(options.model, " holds a packed model, which can only be run: --train needs ",
                     "the trained one");
  if (options.shift_share >= 0 && routers_of(spec).empty())
    throw user_error("--shift-share: ", options.model, " has no routers");
  ModelFigures figures;
  LayersTable table;
  if (options.train) {
    model = {};
    figures = bench_training(options, spec);
  } else {
    if (!options.multiply.empty()) model = pack_model(model, pack_in(options.multiply));
    infer::Session session(std::move(model));
    if (options.shift_share >= 0) session.force_shift_share(options.shift_share);
    figures = bench_inference(options, session);
    if (!options.layers.empty()) table.networks = with_dense_ones(std::move(session));
  }
  nlohmann::ordered_json json = to_json(options, spec, figures);
  if (!table.networks.empty()) {
    time_layers(table, options.seconds);
    json["layers"] = to_json(table);
  }
  if (options.json) {
    std::cout << json_text(json) << "\n";
    return 0;
  }
  std::cout << std::fixed << std::setprecision(2) << options.model << ", "
            << json["mode"].get<std::string>() << ", " << figures.precision << ", batch "
            << options.batch << ", " << options.threads << " threads, " << name_of(isa()) << " on "
            << cpu_name() << "\n"
            << "  P50         " << figures.timing.median_ms << " ms (P90 " << figures.timing.p90_ms
            << ", P99 " << figures.timing.p99_ms << ", best " << figures.timing.min_ms << "; "
            << figures.timing.runs << " runs)\n"
            << (options.train
                    ? ""
                    : concat("  processor   ", std::llround(100 * figures.timing.cpu_ms) / 100.0,
                             " ms of all threads\n"))
            << "  speed       " << figures.images_per_second << " images/s, " << figures.gflops
            << " GFLOP/s\n"
            << "  peak memory " << json["peak_rss_mib"].get<double>() << " MiB\n";
  if (!options.train)
    std::cout
        << "  The last block computes only what the class token's row needs: nothing reads the "
           "other\n  rows. GFLOP/s counts what is computed.\n";
  if (!table.networks.empty()) print_layers(table, options.layers == "all");
  return 0;
}

}  // namespace shiftadd::tools
