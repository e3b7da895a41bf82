// Writes, reads and compares checkpoints.
#include "train/checkpoint.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/io/files.h"
#include "core/io/json_field.h"
#include "core/io/json_text.h"
#include "core/io/safetensors.h"
#include "train/config.h"

namespace shiftadd::train {

using nlohmann::json;
namespace fs = std::filesystem;

namespace {

/// One list of the fields, for writing and reading alike.
template <class State, class Visit>
void visit_fields(State& state, Visit&& visit) {
  visit("step", state.step);
  visit("epoch", state.epoch);
  visit("batch", state.batch);
  visit("loss_sum", state.loss_sum);
  visit("loss_count", state.loss_count);
  visit("images", state.images);
  visit("seconds", state.seconds);
  visit("lr", state.lr);
  visit("best_top1", state.best_top1);
  visit("best_epoch", state.best_epoch);
  visit("early_top1", state.early_top1);
  visit("early_epoch", state.early_epoch);
  visit("last_top1", state.last_top1);
  visit("last_top5", state.last_top5);
  visit("last_loss", state.last_loss);
  visit("last_images", state.last_images);
  visit("log_csv", state.log.csv);
  visit("log_jsonl", state.log.jsonl);
  visit("log_events", state.log.events);
  visit("log_events_name", state.log.events_name);
}

std::string to_text(const TrainingState& state) {
  json object;
  visit_fields(state, [&](const char* name, const auto& value) { object[name] = value; });
  return json_text(object);
}

// Fields that checkpoints of earlier versions lack, and the loop sets at its next step.
bool is_new(std::string_view name) { return name == "lr"; }

TrainingState state_from(const std::string& text, const std::string& path) {
  try {
    const json object = parse_json(text);
    TrainingState state;
    visit_fields(state, [&](const char* name, auto& value) {
      if (object.contains(name) || !is_new(name)) take_field(object, name, value);
    });
    return state;
  } catch (const Error& error) {
    throw user_error(path, ": its training state is damaged: ", error.what());
  }
}

/// Steps done in the training checkpoint at `path`; nothing where it holds none, or is damaged.
std::optional<int64_t> steps_in(const std::string& path) {
  try {
    const TensorFile file = read_safetensors(path);
    const auto text = file.metadata.find("shiftadd.training");
    if (text == file.metadata.end()) return std::nullopt;
    return state_from(text->second, path).step;
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// `path` as a shell takes it.
std::string shell_word(const std::string& path) {
  const auto plain = [](unsigned char c) {
    return std::isalnum(c) ||
           std::string_view("/._-+=:,@%").find(static_cast<char>(c)) != std::string_view::npos;
  };
  if (std::all_of(path.begin(), path.end(), plain)) return path;
  std::string word = "'";
  for (const char c : path) word += c == '\'' ? "'\\''" : std::string(1, c);
  return word + "'";
}

/// What to do without the damaged checkpoint `path`, as the end of a sentence.
std::string way_on_without(const std::string& path) {
  const fs::path folder = fs::path(path).parent_path();
  std::string newest;
  int64_t steps = -1;
  std::error_code problem;
  fs::directory_iterator entries(folder.empty() ? "." : folder, problem);
  for (; !problem && entries != fs::directory_iterator(); entries.increment(problem)) {
    const std::string name = (folder / entries->path().filename()).string();
    if (name == path || entries->path().extension() != ".safetensors") continue;
    const int64_t own = steps_in(name).value_or(-1);
    if (own > steps || (own == steps && own >= 0 && name < newest)) newest = name, steps = own;
  }
  if (newest.empty())
    return "; no checkpoint beside it is whole: begin the run anew, with another --out";
  return concat("; the newest checkpoint beside it that is whole is ", newest, ", of step ", steps,
                ": to go on from there, type `cp ", shell_word(newest), " ", shell_word(path),
                "` and then the same command again");
}

/// Options that do not change the weights of a run's checkpoints, as JSON pointers; a whole object
/// where it ends in '/'. Calibration is of what is written after the last of them.
constexpr const char* kFree[] = {"/name",
                                 "/out",
                                 "/threads",
                                 "/init/",
                                 "/data/train",
                                 "/data/val",
                                 "/data/synthetic/folder",
                                 "/data/workers",
                                 "/data/prefetch",
                                 "/data/cache_mib",
                                 "/train/max_steps",
                                 "/router/calibrate",
                                 "/checkpoint/",
                                 "/log/"};

bool is_free(const std::string& pointer) {
  return std::any_of(std::begin(kFree), std::end(kFree), [&](const std::string& free) {
    return free.back() == '/' ? pointer.starts_with(free) : pointer == free;
  });
}

}  // namespace

std::string weights_text(const std::string& kind, const TrainingState& state,
                         const TrainConfig& config) {
  const bool within = state.batch > 0;
  std::string text =
      concat(kind, within ? ", in epoch " : ", after epoch ", state.epoch + (within ? 1 : 0),
             " of ", config.train.epochs, " (step ", state.step, ")");
  if (config.train.ema_decay > 0) text += concat(", EMA ", config.train.ema_decay);
  return text;
}

void save_model_of_run(const std::string& path, const ModelFile& model,
                       const std::string& weights) {
  TensorFile file{.tensors = model.weights, .metadata = metadata_of(model)};
  file.metadata["shiftadd.weights"] = weights;
  write_safetensors(path, file);
}

void save_checkpoint(const std::string& path, const Checkpoint& checkpoint) {
  TensorFile file;
  file.metadata = metadata_of(checkpoint.model);
  file.metadata["shiftadd.training"] = to_text(checkpoint.state);
  file.metadata["shiftadd.config"] = checkpoint.config;
  file.metadata["shiftadd.data"] = checkpoint.data_digest;
  file.metadata["shiftadd.isa"] = checkpoint.isa;
  file.metadata["shiftadd.init"] = checkpoint.init_digest;
  file.metadata["shiftadd.teacher"] = checkpoint.teacher_digest;
  file.metadata["shiftadd.weights"] = checkpoint.weights;
  for (const NamedTensors* part :
       {&checkpoint.model.weights, &checkpoint.trained, &checkpoint.optimizer})
    file.tensors.insert(file.tensors.end(), part->begin(), part->end());
  write_safetensors(path, file);
}

Checkpoint load_checkpoint(const std::string& path) {
  TensorFile file;
  try {
    file = read_safetensors(path);
  } catch (const Error& damage) {
    if (damage.exit_code() != 2 || !fs::is_regular_file(path)) throw;
    throw user_error(damage.what(), way_on_without(path));
  }
  return checkpoint_in(file, path);
}

Checkpoint checkpoint_in(const TensorFile& file, const std::string& path) {
  for (const char* key : {"shiftadd.training", "shiftadd.config", "shiftadd.data", "shiftadd.isa",
                          "shiftadd.init", "shiftadd.teacher"})
    if (!file.metadata.contains(key))
      throw user_error(path, ": no '", key,
                       "' inside, so it is no training checkpoint: use it as "
                       "init.checkpoint of a new run");
  Checkpoint checkpoint{.model = model_in(file, path),
                        .trained = {},
                        .optimizer = {},
                        .state = state_from(file.metadata.at("shiftadd.training"), path),
                        .config = file.metadata.at("shiftadd.config"),
                        .data_digest = file.metadata.at("shiftadd.data"),
                        .isa = file.metadata.at("shiftadd.isa"),
                        .init_digest = file.metadata.at("shiftadd.init"),
                        .teacher_digest = file.metadata.at("shiftadd.teacher")};
  for (const auto& entry : file.tensors) {
    if (entry.first.starts_with("train.")) checkpoint.trained.push_back(entry);
    if (entry.first.starts_with("optimizer.")) checkpoint.optimizer.push_back(entry);
  }
  return checkpoint;
}

void require_same_run(const std::string& checkpoint_path, const std::string& saved_config,
                      const std::string& config) {
  if (saved_config == config) return;
  json saved, now;
  try {
    saved = parse_json(saved_config).flatten();
    now = parse_json(config).flatten();
  } catch (const Error& error) {
    throw user_error(checkpoint_path, ": its configuration is damaged: ", error.what());
  }
  std::vector<std::string> differing;
  const auto compare = [&](const json& left, const json& right, bool only_missing) {
    for (const auto& [pointer, value] : left.items()) {
      if (is_free(pointer) ||
          (only_missing ? right.contains(pointer) : right.value(pointer, json()) == value))
        continue;
      std::string key = pointer.substr(1);
      std::replace(key.begin(), key.end(), '/', '.');
      differing.push_back(
          key + " (" + (only_missing ? "absent" : json_text(value)) + " there, " +
          (only_missing ? json_text(value) : json_text(right.value(pointer, json("absent")))) +
          " now)");
    }
  };
  compare(saved, now, false);
  compare(now, saved, true);
  if (differing.empty()) return;
  std::string list;
  for (const std::string& item : differing) list += "\n  " + item;
  throw user_error(checkpoint_path,
                   ": resuming with another configuration would not give the result of an "
                   "uninterrupted run. Differing options:",
                   list, "\nSet them back, or start a new run with init.checkpoint");
}

std::string digest_of_input(const std::string& path) {
  return path.empty() || !fs::exists(path) ? "" : sha256_of_file(path);
}

void require_same_inputs(const std::string& checkpoint_path, const Checkpoint& saved,
                         const TrainConfig& config) {
  const auto require = [&](const char* key, const std::string& path, const std::string& began) {
    const std::string now = digest_of_input(path);
    if (!now.empty() && !began.empty() && now != began)
      throw user_error(checkpoint_path, ": the run began with another ", key, " than ", path,
                       " is now: put that file back, or start a new run");
  };
  require("init.checkpoint", config.init.checkpoint, saved.init_digest);
  if (config.train.teacher.kind != TeacherConfig::Kind::kNone)
    require("train.teacher.checkpoint", config.train.teacher.checkpoint, saved.teacher_digest);
}

}  // namespace shiftadd::train
