// shiftadd-bench gpu: parts of networks and whole ones on a CUDA device, held against the CPU
// engine first.
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/json_text.h"
#include "core/parallel.h"
#include "data/list_images.h"
#include "infer/device_choice.h"
#include "tools/bench/commands.h"
#include "tools/bench/gpu_report.h"
#include "tools/outputs.h"
#include "tools/stop_signals.h"

namespace shiftadd::tools {
namespace {

struct GpuOptions {
  std::string device = "cuda";
  std::vector<std::string> models = {"deit_tiny_patch16_224", "deit_small_patch16_224",
                                     "deit_base_patch16_224"};
  std::vector<int64_t> batches = {1, 32, 256};
  int64_t times = 50;
  std::string images, peer, save;
  bool json = false;
};

data::ImageSource jpegs_of(const std::string& folder) {
  if (folder.empty()) return drawn_jpegs();
  std::istringstream nothing;
  return data::source_of_files(data::list_images({folder}, nothing));
}

struct Part {
  const char* name;
  void (*time)(cuda::Device& device, int64_t images, uint32_t times, PartTimes& found);
};
constexpr Part kParts[] = {
    {"products", time_products}, {"attention", time_attention}, {"mixtures", time_mixtures}};

void say_measured(const std::string& what) { std::cerr << "measured: " << what << std::endl; }

// Until a signal stops it, which is asked for between two tables' rows or a few of them.
void measure(const GpuOptions& options, cuda::Device& device, const data::ImageSource& jpegs,
             GpuFigures& figures) {
  figures.decoded_per_second = images_decoded_per_second(jpegs);
  // Right answers first: they come before all times in the report, and where a device fails.
  for (const std::string& model : options.models)
    for (const NetworkForm form : kNetworkForms) {
      if (stop_signal()) return;
      figures.networks.push_back(
          network_figures(device, model, form, options.batches, options.times, jpegs));
      say_measured(concat(model, " ", name_of(form)));
    }
  const auto times = static_cast<uint32_t>(options.times);
  for (const int64_t batch : options.batches)
    for (const auto& [name, time] : kParts) {
      if (stop_signal()) return;
      time(device, batch, times, figures.parts);
      say_measured(concat(name, ", batch ", batch));
    }
}

// Results are printed first: a file that cannot be written must not lose them.
void report(const GpuOptions& options, const GpuFigures& figures, Outputs& outputs) {
  const std::string json = json_text(to_json(figures));
  std::cout << (options.json ? json + "\n" : to_markdown(figures)) << std::flush;
  if (!options.save.empty())
    outputs.write(options.save, [&] { write_file(options.save, json + "\n"); });
}

Outputs outputs_of(const GpuOptions& options) {
  Outputs outputs("shiftadd-bench");
  outputs.input("--peer", options.peer);
  outputs.input("--images", options.images);
  outputs.file("--save", options.save);
  return outputs;
}

int run_gpu(const GpuOptions& options) {
  const infer::DeviceChoice choice = infer::device_choice(options.device);
  if (choice.kind != infer::DeviceChoice::Kind::kCuda)
    throw user_error("--device ", options.device, ": expected cuda or cuda:N");
  Outputs outputs = outputs_of(options);
  outputs.check();
  GpuFigures figures;
  if (!options.peer.empty()) figures.peers = read_peer_times(options.peer);
  const data::ImageSource jpegs = jpegs_of(options.images);
  cuda::Device device = *infer::open_device(choice);
  figures.device = device.description();
  figures.threads = num_threads();
  stop_soon("shiftadd-bench");
  try {
    measure(options, device, jpegs, figures);
    figures.complete = !stop_signal();
  } catch (const Error&) {
    // What a device did before it failed says where.
    if (!figures.networks.empty()) report(options, figures, outputs);
    throw;
  }
  report(options, figures, outputs);
  if (stop_signal()) {
    std::cerr << "shiftadd-bench: interrupted" << std::endl;
    return status_after(stop_signal());
  }
  // Integers have one right answer.
  const bool wrong =
      std::any_of(figures.networks.begin(), figures.networks.end(), [](const NetworkFigures& each) {
        return each.form != NetworkForm::kBf16 && !each.same_bits;
      });
  if (wrong) throw failure("a network in integers differs from the CPU engine: see the table");
  return outputs.status();
}

}  // namespace

void add_gpu(Commands& commands) {
  auto [command, options] = commands.add(
      "gpu", "Kernels and networks on a CUDA device, random weights, beside one another", run_gpu);
  command.text("--device", options.device, "Which device [cuda]", "cuda|cuda:N");
  command.batches(options.batches, "Images a batch [1,32,256]");
  command.choices(
      "--model", options.models, "Networks [DeiT-T, -S and -B at 224 pixels]",
      {"deit_tiny_patch16_224", "deit_small_patch16_224", "deit_base_patch16_224", "vit_micro"});
  command.integer("--times", options.times, "Launches that a time is the mean of [50]", 100'000);
  command.text("--images", options.images,
               "Images that networks are fed from [drawn ones, as JPEG, in memory]", "DIR");
  command.text("--peer", options.peer,
               "Times of another program on this device, as tests/cuda/torch_peer.py writes them",
               "FILE.json");
  command.text("--save", options.save, "Also write the JSON object here", "FILE.json");
  command.json(options.json);
}

}  // namespace shiftadd::tools
