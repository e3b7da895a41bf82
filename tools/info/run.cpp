// Says what a run of shiftadd-train was made of, how far it came, and what it reached.
#include <algorithm>
#include <filesystem>

#include "core/io/files.h"
#include "core/io/json_field.h"
#include "core/io/json_text.h"
#include "tools/info/facts.h"
#include "train/run_result.h"

namespace shiftadd::tools {
namespace {

using nlohmann::ordered_json;
namespace fs = std::filesystem;

bool holds_run(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / "manifest.json", ignored) &&
         (fs::exists(folder / "last.safetensors", ignored) ||
          fs::exists(folder / "model.safetensors", ignored) ||
          fs::exists(folder / "metrics.csv", ignored));
}

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code problem;
  for (fs::directory_iterator entry(folder, problem); !problem && entry != fs::directory_iterator();
       entry.increment(problem))
    entries.push_back(entry->path());
  std::sort(entries.begin(), entries.end());
  return entries;
}

// The folders of a run's stages, in the order in which they began.
std::vector<fs::path> stages_in(const fs::path& folder) {
  std::vector<fs::path> stages;
  for (const fs::path& entry : entries_of(folder))
    if (holds_run(entry)) stages.push_back(entry);
  std::error_code ignored;
  std::stable_sort(stages.begin(), stages.end(), [&](const fs::path& a, const fs::path& b) {
    return fs::last_write_time(a / "manifest.json", ignored) <
           fs::last_write_time(b / "manifest.json", ignored);
  });
  return stages;
}

void add_manifest(ordered_json& json, const std::string& path) {
  try {
    const ordered_json manifest = parse_ordered_json(read_text(path), path);
    ordered_json config, data, sessions, part;
    take_field(manifest, "config", config);
    take_field(config, "name", json["name"]);
    take_field(manifest, "seed", json["seed"]);
    take_field(manifest, "version", json["version"]);
    take_field(manifest, "commit", json["commit"]);
    take_field(manifest, "sessions", sessions);
    if (!sessions.empty()) take_field(sessions.front(), "started", json["started"]);
    json["sessions"] = sessions.size();
    take_field(config, "train", part);
    take_field(part, "epochs", json["epochs"]);
    take_field(manifest, "data", data);
    for (const char* set : {"train", "val"}) {
      take_field(data, set, part);
      take_field(part, "path", json["data"][set]["path"]);
      take_field(part, "images", json["data"][set]["images"]);
    }
  } catch (const Error& error) {
    throw user_error(path, ": is no manifest of a run, or damaged: ", error.what());
  }
}

void add_result(ordered_json& json, const std::string& folder) {
  const train::RunResult result = train::read_result(folder);
  json["result"] = {{"top1", result.top1},
                    {"top5", result.top5},
                    {"loss", result.loss},
                    {"images", result.images},
                    {"weights", result.weights}};
}

// Adds a row for each file of weights, and all of the network that the last of them holds.
void add_checkpoints(Facts& facts, const fs::path& folder) {
  ordered_json rows = ordered_json::array(), model;
  for (const fs::path& file : entries_of(folder)) {
    if (file.extension() != ".safetensors") continue;
    facts.attempt([&] {
      Facts own = facts_of(file);
      ordered_json row = {{"file", file.filename().string()}, {"kind", own.json["kind"]}};
      for (const char* key : {"checksum", "weights"})
        if (own.json.contains(key)) row[key] = own.json[key];
      if (own.json.contains("training")) row.update(own.json["training"]);
      rows.push_back(row);
      facts.problems.insert(facts.problems.end(), own.problems.begin(), own.problems.end());
      for (const char* key :
           {"path", "kind", "format", "weights", "training", "checksum", "tensor_list"})
        own.json.erase(key);
      if (model.is_null() || file.filename() == "model.safetensors") model = own.json;
    });
  }
  facts.json["checkpoints"] = rows;
  if (!model.is_null()) facts.json["model"] = model;
}

}  // namespace

bool is_run(const std::string& folder) {
  std::error_code ignored;
  return fs::is_directory(folder, ignored) && (holds_run(folder) || !stages_in(folder).empty());
}

Facts facts_of_run(const std::string& folder) {
  Facts facts;
  facts.json = {{"path", folder}, {"kind", "training run"}};
  if (!holds_run(folder)) {
    for (const fs::path& stage : stages_in(folder)) {
      Facts own = facts_of_run(stage);
      facts.json["stages"].push_back(own.json);
      facts.problems.insert(facts.problems.end(), own.problems.begin(), own.problems.end());
    }
    return facts;
  }
  facts.attempt([&] { add_manifest(facts.json, folder + "/manifest.json"); });
  std::error_code ignored;
  if (fs::exists(folder + "/result.json", ignored))
    facts.attempt([&] { add_result(facts.json, folder); });
  add_checkpoints(facts, folder);
  return facts;
}

}  // namespace shiftadd::tools
