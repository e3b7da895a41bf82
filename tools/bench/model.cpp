// shiftadd-bench model: the time and memory of a forward pass or a training step; or what is
// predicted of it on a GPU.
#include <algorithm>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/cpu/bf16.h"
#include "core/cpu/cpu_name.h"
#include "core/cpu/isa.h"
#include "core/error.h"
#include "core/io/json_text.h"
#include "core/memory.h"
#include "core/memory_limit.h"
#include "core/parallel.h"
#include "infer/session.h"
#include "model/model_file.h"
#include "tools/bench/commands.h"
#include "tools/bench/layers.h"
#include "tools/bench/network.h"
#include "tools/bench/operands.h"
#include "tools/bench/prediction.h"
#include "tools/bench/timer.h"
#include "train/benchmark.h"

namespace shiftadd::tools {
namespace {

struct ModelOptions {
  std::string model, precision = "float32";
  std::vector<int64_t> batches;
  int threads = available_cores();
  bool train = false, json = false;
  std::string layers;       // a row for each of "kinds" of layers, or "all"; empty: no table
  std::string multiply;     // inference: what layers that multiply compute in; a packed file's own
  double shift_share = -1;  // of every router; below 0: its own choice
  double seconds = 3;
  std::vector<std::string> devices;  // to predict for, instead of measuring

  int64_t batch() const { return batches.empty() ? 1 : batches.front(); }
};

// The same network without conversion, in float32 and in int8, random weights; then, if it is
// converted, itself.
std::vector<LayersNetwork> with_dense_ones(infer::Session session) {
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

// What was run, apart from the program's own share of each figure.
struct ModelFigures {
  std::string precision;  // of the products
  Timing timing;
  double images_per_second = 0, gflops = 0;
  int64_t peak_rss_bytes = 0;
  int64_t arena_bytes = 0;  // inference: one thread's arena

  double peak_rss_mib() const { return static_cast<double>(peak_rss_bytes) / (1 << 20); }
};

const char* mode_of(const ModelOptions& options) {
  return options.train ? "training" : "inference";
}

ModelFigures bench_inference(const ModelOptions& options, infer::Session& session) {
  const ModelSpec& spec = session.spec();
  require_memory(concat("a batch of ", options.batch()),
                 {{"images",
                   static_cast<double>(options.batch()) * static_cast<double>(spec.image_values()) *
                       sizeof(float),
                   "--batch, or the network's image_size"}});
  const Tensor images = random_floats(spec.batch_shape(options.batch()), 0, 1);
  Tensor logits({options.batch(), session.outputs()});
  const auto forward = [&] {
    session.run(images.data<float>(), options.batch(), logits.data<float>());
  };
  ModelFigures figures;
  figures.precision = name_of(session.pack().multiply);
  figures.timing = time_calls({.seconds = options.seconds}, forward);
  figures.images_per_second = 1e3 * static_cast<double>(options.batch()) / figures.timing.median_ms;
  figures.gflops = 2e-9 * static_cast<double>(session.macs_per_image()) * figures.images_per_second;
  figures.peak_rss_bytes = peak_rss_bytes();
  figures.arena_bytes = session.arena_floats() * static_cast<int64_t>(sizeof(float));
  return figures;
}

ModelFigures bench_training(const ModelOptions& options, const ModelSpec& spec) {
  ModelFigures figures;
  figures.precision = options.precision;
  // Two steps tell how many fit into the time wanted; each series begins with a warm-up step.
  const auto precision =
      options.precision == "bf16" ? train::Precision::kBf16 : train::Precision::kFloat32;
  const double estimate =
      train::time_training_steps(spec, options.batch(), 2, precision).seconds.back();
  const int steps = static_cast<int>(std::clamp(options.seconds / estimate, 5.0, 1000.0));
  std::vector<double> ms =
      train::time_training_steps(spec, options.batch(), steps + 1, precision).seconds;
  ms.erase(ms.begin());
  for (double& each : ms) each *= 1e3;
  figures.timing = summarise(std::move(ms));
  figures.images_per_second = 1e3 * static_cast<double>(options.batch()) / figures.timing.median_ms;
  figures.peak_rss_bytes = peak_rss_bytes();
  // Backward multiplies twice as much as forward.
  figures.gflops = 6e-9 * static_cast<double>(count_macs(spec).total()) * figures.images_per_second;
  return figures;
}

nlohmann::ordered_json to_json(const ModelOptions& options, const ModelSpec& spec,
                               const ModelFigures& figures) {
  nlohmann::ordered_json json = {
      {"model", options.model},
      {"mode", mode_of(options)},
      {"precision", figures.precision},
      {"batch", options.batch()},
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
      {"peak_rss_mib", figures.peak_rss_mib()},
      {"isa", name_of(isa())},
      {"bf16_unit", options.precision == "bf16" ? name_of(bf16_unit()) : "unused"},
      {"cpu", cpu_name()}};
  if (!options.train) json["cpu_ms_median"] = figures.timing.cpu_ms;
  if (!options.train) json["arena_mib"] = static_cast<double>(figures.arena_bytes) / (1 << 20);
  return json;
}

// Throws Error (user) for options that contradict each other, or that this CPU cannot follow.
void check_options(const ModelOptions& options) {
  if (!options.layers.empty() && (options.train || options.threads != 1 || options.batch() != 1))
    throw user_error(
        "--layers looks at one image on one thread: give --threads 1, and neither --batch nor "
        "--train");
  if (options.precision == "bf16" && !options.train)
    throw user_error("--precision bf16 is of training steps: add --train");
  if (options.precision == "bf16" && bf16_unit() == Bf16Unit::kNone)
    throw user_error("--precision bf16: this CPU has no bf16 products (AVX512-BF16 or AMX)");
  if (!options.devices.empty() && (options.train || !options.layers.empty()))
    throw user_error("--predict is of inference, whole: leave out --train and --layers");
  if (options.devices.empty() && options.batches.size() > 1)
    throw user_error("--batch takes several sizes with --predict alone: give one");
  if (options.train && (!options.multiply.empty() || options.shift_share >= 0))
    throw user_error("--multiply and --shift-share are of inference: leave out --train");
}

// Throws Error (user) for options that do not suit the network.
void check_options(const ModelOptions& options, const ModelFile& model) {
  if (options.train && model.pack)
    throw user_error(options.model, " holds a packed model, which can only be run: --train needs ",
                     "the trained one");
  if (options.shift_share >= 0 && routers_of(model.spec).empty())
    throw user_error("--shift-share: ", options.model, " has no routers");
}

void print_figures(const ModelOptions& options, const ModelFigures& figures) {
  std::cout << std::fixed << std::setprecision(2) << options.model << ", " << mode_of(options)
            << ", " << figures.precision << ", batch " << options.batch() << ", " << options.threads
            << " threads, " << name_of(isa()) << " on " << cpu_name() << "\n"
            << "  P50         " << figures.timing.median_ms << " ms (P90 " << figures.timing.p90_ms
            << ", P99 " << figures.timing.p99_ms << ", best " << figures.timing.min_ms << "; "
            << figures.timing.runs << " runs)\n"
            << (options.train
                    ? ""
                    : concat("  processor   ", std::llround(100 * figures.timing.cpu_ms) / 100.0,
                             " ms of all threads\n"))
            << "  speed       " << figures.images_per_second << " images/s, " << figures.gflops
            << " GFLOP/s\n"
            << "  peak memory " << figures.peak_rss_mib() << " MiB\n";
  if (!options.train)
    std::cout
        << "  The last block computes only what the class token's row needs: nothing reads the "
           "other\n  rows. GFLOP/s counts what is computed.\n";
}

std::vector<std::string> names_of_devices() {
  std::vector<std::string> names;
  for (const cuda::DeviceModel& device : cuda::device_models()) names.emplace_back(device.name);
  return names;
}

int predict(const ModelOptions& options, const ModelFile& model) {
  const PackSpec pack = model.pack.value_or(PackSpec{});
  const std::vector<DevicePredictions> predictions =
      predictions_of(network_of(model.spec), pack, options.shift_share, options.devices,
                     options.batches.empty() ? std::vector<int64_t>{1, 32, 256} : options.batches);
  const char* const multiply = name_of(pack.multiply);
  if (options.json) {
    nlohmann::ordered_json json = {{"model", options.model}, {"precision", multiply}};
    for (const DevicePredictions& of : predictions) json["predictions"].push_back(to_json(of));
    std::cout << json_text(json) << "\n";
    return 0;
  }
  for (const DevicePredictions& of : predictions)
    std::cout << to_text(of, concat(options.model, ", products in ", multiply));
  return 0;
}

int run_model(const ModelOptions& options) {
  check_options(options);
  set_num_threads(options.threads);
  ModelFile model = open_or_make(options.model);
  check_options(options, model);
  if (!options.train && !options.multiply.empty())
    model = pack_model(model, pack_in(options.multiply));
  if (!options.devices.empty()) return predict(options, model);
  const ModelSpec spec = model.spec;
  ModelFigures figures;
  LayersTable table;
  if (options.train) {
    model = {};
    figures = bench_training(options, spec);
  } else {
    infer::Session session(std::move(model));
    if (options.shift_share >= 0) session.force_shift_share(options.shift_share);
    figures = bench_inference(options, session);
    if (!options.layers.empty()) table.networks = with_dense_ones(std::move(session));
  }
  if (!table.networks.empty()) time_layers(table, options.seconds);
  if (options.json) {
    nlohmann::ordered_json json = to_json(options, spec, figures);
    if (!table.networks.empty()) json["layers"] = to_json(table);
    std::cout << json_text(json) << "\n";
    return 0;
  }
  print_figures(options, figures);
  if (!table.networks.empty()) print_layers(table, options.layers == "all");
  return 0;
}

}  // namespace

void add_model(Commands& commands) {
  auto [command, options] =
      commands.add("model", "The forward pass or the training step of a network", run_model);
  command.network(options.model,
                  "An architecture's name, its JSON (random weights), or a model file",
                  "NAME|SPEC.json|MODEL");
  command.batches(options.batches, "Images a batch [1]; with --predict one or several [1,32,256]");
  command.threads(options.threads);
  command.flag("--train", options.train, "Time training steps: forward, backward and AdamW");
  command.choice("--precision", options.precision,
                 "Arithmetic: float32, or bf16 products (--train)", {"float32", "bf16"});
  command.choice("--multiply", options.multiply,
                 "Inference: pack the model with these products: float32, bf16 or int8",
                 {"float32", "bf16", "int8"});
  command.shift_share(options.shift_share,
                      "Inference: every router sends this share of its tokens to Shift [its own]");
  command.flag_or_choice(
      "--layers", options.layers,
      "Inference of one image, with --threads 1: a table of the layers beside those of the "
      "dense network in float32 and in int8: processor time, GOP/s, share of the "
      "roofline, bytes; summed over the blocks, or --layers=all of every block",
      {"kinds", "all"});
  command.choices("--predict", options.devices,
                  "Measure nothing: the least time of a forward pass on a GPU, from its data sheet "
                  "and the list of kernel launches; may be repeated",
                  names_of_devices());
  command.seconds(options.seconds, "How long to sample [3]");
  command.json(options.json);
  command.list_archs();
}

}  // namespace shiftadd::tools
