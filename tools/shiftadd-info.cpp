// shiftadd-info: says what a checkpoint, a model file or a run's folder holds.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "core/io/json_text.h"
#include "tools/info/facts.h"
#include "tools/program.h"
#include "tools/stop_signals.h"

namespace shiftadd::tools {
namespace {

constexpr const char* kName = "shiftadd-info";

constexpr const char* kFooter = R"(
FILE is recognised by its content: a PyTorch checkpoint (.pth, .pt, .bin), a safetensors file, the
index of either in several files (*.index.json), a model file of shiftadd-train or shiftadd-convert,
one of the checkpoints of a run; or it is the folder of a run, of its stages, or of a published
checkpoint with its configuration files. PyTorch files are read without running any code.

Of a foreign checkpoint the names of its tensors are shown as a mapping file of shiftadd-convert
would have them, {N} standing for the number of a block, and the network that shiftadd-convert makes
of it (arch_auto), or why it makes none.

Exit status: 0; 2 for a file that cannot be read or is damaged (what is known of it is printed all
the same, where anything is); 1 after a failure.

Examples:
  shiftadd-info deit_tiny.pth
  shiftadd-info vit-base/ --tensors
  shiftadd-info runs/finetune_shiftadd
  shiftadd-info deployed.safetensors --json)";

int run(const std::string& path, const std::vector<std::string>& set, bool tensors, bool json) {
  Facts facts = facts_of(path, set);
  if (!facts.problems.empty()) facts.json["problems"] = facts.problems;
  std::cout << (json ? json_text(facts.json, 2) + "\n" : text_of(facts.json, tensors))
            << std::flush;
  for (const std::string& problem : facts.problems)
    std::cerr << kName << ": error: " << problem << std::endl;
  return facts.problems.empty() ? 0 : 2;
}

}  // namespace
}  // namespace shiftadd::tools

int main(int argc, char** argv) {
  using namespace shiftadd::tools;
  std::string path;
  std::vector<std::string> set;
  bool tensors = false, json = false;
  CLI::App app("Says what a checkpoint, a model file or the folder of a run holds.", kName);
  app.footer(kFooter);
  app.add_option("FILE", path, "checkpoint, model file or folder")->required();
  app.add_option("--set", set,
                 "what a foreign checkpoint does not tell, e.g. heads=3; may be repeated")
      ->allow_extra_args(false);
  app.add_flag("--tensors", tensors, "list every tensor: name, type and shape");
  app.add_flag("--json", json, "print one JSON object, with every tensor and every class");
  if (const auto status = parse_arguments(app, argc, argv)) return *status;
  return run_program(kName, [&] {
    stop_at_once(kName);
    return run(path, set, tensors, json);
  });
}
