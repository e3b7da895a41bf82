// Lists the files of a training run, or of its stages, for the check of its outputs.
#include "tools/train/outputs.h"

#include <array>
#include <filesystem>
#include <string_view>
#include <vector>

#include "core/config/source.h"
#include "tools/outputs.h"

namespace shiftadd::tools {
namespace {

// Whether a run writes a file of this name into its folder.
bool is_run_file(const std::string& name) {
  static constexpr std::array<std::string_view, 12> kNames = {
      "last.safetensors", "best.safetensors", "model.safetensors", "metrics.csv",
      "metrics.jsonl",    "per_class.csv",    "manifest.json",     "result.json",
      "latency.json",     "quarantine.txt",   "report.md",         ".lock"};
  for (const std::string_view each : kNames)
    if (name == each) return true;
  return matches_pattern("epoch_*.safetensors", name) ||
         matches_pattern("events.out.tfevents.*", name);
}

bool lies_in(const std::string& file, const std::string& folder) {
  namespace fs = std::filesystem;
  const fs::path parent = fs::path(file).parent_path();
  std::error_code ignored;
  return fs::equivalent(parent.empty() ? "." : parent, folder, ignored);
}

}  // namespace

void check_outputs(const train::TrainConfig& config, const std::string& file) {
  Outputs outputs("shiftadd-train");
  for (const std::string& each : config_files(file)) outputs.input("CONFIG", each);
  outputs.folder("--out", config.out, is_run_file);
  std::vector<const train::TrainConfig*> runs = {&config};
  if (!config.stages.empty()) runs.clear();
  for (const train::TrainConfig& stage : config.stages) runs.push_back(&stage);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const train::TrainConfig& run = *runs[i];
    const std::string prefix = config.stages.empty() ? "" : "stage " + run.name + ": ";
    const auto add = [&](const char* key, const std::string& path) {
      for (std::size_t earlier = 0; earlier < i; ++earlier)
        if (lies_in(path, runs[earlier]->out)) return;
      outputs.input(prefix + key, path);
    };
    add("model.base", run.model_base);
    add("data.train", run.data.train);
    add("data.val", run.data.val);
    add("init.checkpoint", run.init.checkpoint);
    add("train.teacher.checkpoint", run.train.teacher.checkpoint);
    const std::string& latency = run.router.latency_file;
    if (!(latency.ends_with("latency.json") && lies_in(latency, run.out)))
      add("router.latency_file", latency);
    if (!config.stages.empty()) outputs.folder(prefix + "out", run.out, is_run_file);
  }
  outputs.check();
}

}  // namespace shiftadd::tools
