// shiftadd-bench gpu: products and networks on a CUDA device, held against the CPU engine first.
#include <algorithm>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "core/io/json_text.h"
#include "cuda/engine.h"
#include "infer/cpu_engine.h"
#include "infer/device_choice.h"
#include "model/pack.h"
#include "tools/bench/commands.h"
#include "tools/bench/gpu_products.h"
#include "tools/bench/network.h"
#include "tools/bench/operands.h"
#include "tools/bench/timer.h"

namespace shiftadd::tools {
namespace {

struct GpuOptions {
  std::string device = "cuda";
  std::vector<std::string> models = {"deit_tiny_patch16_224", "deit_small_patch16_224",
                                     "deit_base_patch16_224"};
  std::vector<int64_t> batches = {1, 32, 256};
  int64_t times = 50;
  bool json = false;
};

// A network in one form, random weights.
struct Form {
  const char* name;
  const char* pack;
  bool converted;
};
constexpr Form kForms[] = {{"ShiftAdd (softmax_add, shift, mixtures)", "int8", true},
                           {"dense, int8", "int8", false},
                           {"dense, bf16", "bf16", false}};
// Of tokens, as the shipped recipe's routers send them.
constexpr double kShiftShare = 0.8;

// What configs/recipes/shiftadd.json makes of a network.
ModelSpec converted(ModelSpec spec) {
  spec.shift_add.codes = Codes::kBipolar2;
  spec.shift_add.values = ValueFormat::kInt8;
  spec.shift_add.int8_activations = true;
  spec.shift_add.blocks.assign(static_cast<std::size_t>(spec.depth),
                               {.attention = AttentionKind::kSoftmaxAdd,
                                .qkv = LayerKind::kShift,
                                .proj = LayerKind::kShift,
                                .mlp = LayerKind::kMixture});
  return spec;
}

struct Parity {
  bool same_bits = false;
  double distance = 0;  // the largest between two logits
};
struct NetworkTime {
  int64_t batch = 0;
  double device_ms = 0;  // images and answers stay there
  double whole_ms = 0;   // from floats of the host to its logits
};
struct NetworkFigures {
  std::string model, form;
  int64_t launches = 0;
  Parity parity;
  std::vector<NetworkTime> times;
};

Parity parity_of(const ModelFile& model, cuda::CudaEngine& engine) {
  const Tensor image = random_floats(model.spec.batch_shape(1), 0, 1);
  std::vector<float> expected(static_cast<std::size_t>(engine.outputs())), actual = expected;
  infer::CpuEngine cpu(network_of(model.spec), *model.pack, model.weights);
  cpu.run(image.data<float>(), 1, expected.data());
  engine.run(image.data<float>(), 1, actual.data());
  Parity parity = {expected == actual};
  for (std::size_t i = 0; i < actual.size(); ++i)
    parity.distance =
        std::max(parity.distance, std::abs(static_cast<double>(actual[i]) - expected[i]));
  return parity;
}

NetworkTime time_batch(const ModelSpec& spec, cuda::CudaEngine& engine, int64_t batch,
                       int64_t times) {
  const int64_t part = std::min(batch, cuda::CudaEngine::kMostImages);
  const auto parts = static_cast<double>(batch) / static_cast<double>(part);
  NetworkTime time = {batch};
  time.device_ms = 1e3 * parts * engine.time_forward(part, static_cast<uint32_t>(times));
  const Tensor images = random_floats(spec.batch_shape(batch), 0, 1);
  std::vector<float> logits(static_cast<std::size_t>(batch * engine.outputs()));
  const TimingPlan plan = {.seconds = 1, .warm_up = 2, .min_runs = 2, .max_runs = times};
  time.whole_ms =
      time_calls(plan, [&] { engine.run(images.data<float>(), batch, logits.data()); }).median_ms;
  return time;
}

NetworkFigures network_figures(const GpuOptions& options, const cuda::Device& device,
                               const std::string& name, const Form& form) {
  ModelSpec spec = open_spec(name);
  if (form.converted) spec = converted(spec);
  const ModelFile model = pack_model(random_model(spec), pack_in(form.pack));
  cuda::CudaEngine engine(network_of(spec), *model.pack, model.weights, device.share());
  NetworkFigures figures = {name,
                            form.name,
                            static_cast<int64_t>(engine.launches().list.size()),
                            parity_of(model, engine),
                            {}};
  if (form.converted) engine.force_shift_share(kShiftShare);
  for (const int64_t batch : options.batches)
    figures.times.push_back(time_batch(spec, engine, batch, options.times));
  return figures;
}

nlohmann::ordered_json to_json(const shiftadd_device_description& device,
                               const std::vector<ProductTime>& products,
                               const std::vector<NetworkFigures>& networks) {
  nlohmann::ordered_json json = {{"device", device.name},
                                 {"architecture", device.architecture},
                                 {"multiprocessors", device.multiprocessors}};
  for (const ProductTime& each : products)
    json["products"].push_back({{"layer", each.shape.layer},
                                {"rows", each.shape.rows},
                                {"inputs", each.shape.inputs},
                                {"outputs", each.shape.outputs},
                                {"kernel", each.kernel},
                                {"us", 1e6 * each.seconds},
                                {"tera_terms_per_second", 1e-12 * each.terms_per_second()}});
  for (const NetworkFigures& each : networks) {
    nlohmann::ordered_json of = {{"model", each.model},
                                 {"form", each.form},
                                 {"launches", each.launches},
                                 {"bits_of_the_cpu", each.parity.same_bits},
                                 {"largest_difference", each.parity.distance}};
    for (const NetworkTime& time : each.times)
      of["times"].push_back(
          {{"batch", time.batch}, {"device_ms", time.device_ms}, {"whole_ms", time.whole_ms}});
    json["networks"].push_back(of);
  }
  return json;
}

// Markdown.
std::string to_text(const shiftadd_device_description& device,
                    const std::vector<ProductTime>& products,
                    const std::vector<NetworkFigures>& networks) {
  std::ostringstream out;
  out << "## " << device.name << ", compute capability " << device.architecture / 10 << "."
      << device.architecture % 10 << ", " << device.multiprocessors << " multiprocessors\n\n"
      << "| product | rows x inputs x outputs | kernel | us | 1e12 terms/s "
         "|\n|---|---|---|---|---|\n"
      << std::setprecision(4);
  for (const ProductTime& each : products)
    out << "| " << each.shape.layer << " | " << each.shape.rows << " x " << each.shape.inputs
        << " x " << each.shape.outputs << " | " << each.kernel << " | " << 1e6 * each.seconds
        << " | " << 1e-12 * each.terms_per_second() << " |\n";
  out << "\n| network | form | launches | against the CPU engine | batch | ms on the device | "
         "images/s | ms from host to host |\n|---|---|---|---|---|---|---|---|\n";
  for (const NetworkFigures& each : networks)
    for (const NetworkTime& time : each.times) {
      out << "| " << each.model << " | " << each.form << " | " << each.launches << " | ";
      if (each.parity.same_bits)
        out << "same bits";
      else
        out << "within " << each.parity.distance;
      out << " | " << time.batch << " | " << time.device_ms << " | "
          << 1e3 * static_cast<double>(time.batch) / time.device_ms << " | " << time.whole_ms
          << " |\n";
    }
  return out.str();
}

int run_gpu(const GpuOptions& options) {
  const infer::DeviceChoice choice = infer::device_choice(options.device);
  if (choice.kind != infer::DeviceChoice::Kind::kCuda)
    throw user_error("--device ", options.device, ": expected cuda or cuda:N");
  cuda::Device device = *infer::open_device(choice);
  std::vector<ProductTime> products;
  for (const int64_t batch : options.batches) {
    const auto more =
        time_products(device, deit_products(batch), static_cast<uint32_t>(options.times));
    products.insert(products.end(), more.begin(), more.end());
  }
  std::vector<NetworkFigures> networks;
  for (const std::string& model : options.models)
    for (const Form& form : kForms)
      networks.push_back(network_figures(options, device, model, form));
  if (options.json)
    std::cout << json_text(to_json(device.description(), products, networks)) << "\n";
  else
    std::cout << to_text(device.description(), products, networks);
  // Integers have one right answer.
  const bool wrong = std::any_of(networks.begin(), networks.end(), [](const NetworkFigures& each) {
    return each.form != kForms[2].name && !each.parity.same_bits;
  });
  if (wrong) throw failure("a network in integers differs from the CPU engine: see the table");
  return 0;
}

}  // namespace

void add_gpu(Commands& commands) {
  auto [command, options] = commands.add(
      "gpu", "Products and networks on a CUDA device, random weights, beside one another", run_gpu);
  command.text("--device", options.device, "Which device [cuda]", "cuda|cuda:N");
  command.batches(options.batches, "Images a batch [1,32,256]");
  command.choices(
      "--model", options.models, "Networks [DeiT-T, -S and -B at 224 pixels]",
      {"deit_tiny_patch16_224", "deit_small_patch16_224", "deit_base_patch16_224", "vit_micro"});
  command.integer("--times", options.times, "Passes that a time is the mean of [50]", 100'000);
  command.json(options.json);
}

}  // namespace shiftadd::tools
