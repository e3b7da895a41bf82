// Finds the configuration files beside a checkpoint, and joins what they say.
#include "model/file_hints.h"

#include <filesystem>

#include "core/io/files.h"
#include "core/io/not_weights.h"
#include "model/file_hints_readers.h"

namespace shiftadd {
namespace {

namespace fs = std::filesystem;

fs::path folder_of(const std::string& checkpoint) {
  std::error_code ignored;
  if (fs::is_directory(checkpoint, ignored)) return checkpoint;
  const fs::path folder = fs::path(checkpoint).parent_path();
  return folder.empty() ? "." : folder;
}

// Takes what `from` says of a key, and refuses another statement than `into` has.
template <class Value, class Show>
void join(std::optional<Value>& into, const std::optional<Value>& from, FileHints& all,
          const std::string& file, const char* key, Show show) {
  if (!from) return;
  if (into && *into != *from)
    throw user_error(file, ": says ", key, " ", show(*from), ", ", all.said_by.at(key), " says ",
                     show(*into), ": remove the file that is not this checkpoint's");
  into = from;
  all.said_by.emplace(key, file);
}

void join(FileHints& into, FileHints from, const std::string& file) {
  const auto as_is = [](auto value) { return value; };
  const auto name = [](auto value) { return name_of(value); };
  join(into.heads, from.heads, into, file, "heads", as_is);
  join(into.depth, from.depth, into, file, "depth", as_is);
  join(into.image_size, from.image_size, into, file, "image_size", as_is);
  join(into.patch_size, from.patch_size, into, file, "patch_size", as_is);
  join(into.channels, from.channels, into, file, "in_channels", as_is);
  join(into.class_count, from.class_count, into, file, "classes", as_is);
  join(into.norm_eps, from.norm_eps, into, file, "norm_eps", as_is);
  join(into.activation, from.activation, into, file, "activation", name);
  join(into.qkv_bias, from.qkv_bias, into, file, "qkv_bias", as_is);
  join(into.pooling, from.pooling, into, file, "pooling", name);
  if (!into.preprocess && from.preprocess) {
    into.preprocess = from.preprocess;
    into.said_by.emplace("preprocess", file);
  }
  if (into.classes.empty()) into.classes = std::move(from.classes);
  if (into.architecture.empty()) into.architecture = from.architecture;
  if (into.model_type.empty()) into.model_type = from.model_type;
  into.sources.push_back(file);
  into.notes.insert(into.notes.end(), from.notes.begin(), from.notes.end());
  into.unsupported.insert(into.unsupported.end(), from.unsupported.begin(), from.unsupported.end());
}

void read_config(const ForeignObject& config, FileHints& hints) {
  if (hints::is_timm(config))
    hints::read_timm(config, hints);
  else
    hints::read_hugging_face(config, hints);
}

void add(FileHints& all, const fs::path& path, void (*read)(const ForeignObject&, FileHints&)) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return;
  const std::string text = read_text(path);
  require_no_placeholder(text, path);
  const ConfigNode root = parse_config_node(text, path);
  FileHints own;
  read(ForeignObject(root), own);
  join(all, std::move(own), path);
}

}  // namespace

FileHints hints_beside(const std::string& checkpoint) {
  const fs::path folder = folder_of(checkpoint);
  const fs::path open_clip = folder / "open_clip_config.json";
  const bool is_open_clip = fs::path(checkpoint).filename().string().starts_with("open_clip");
  FileHints hints;
  if (is_open_clip) add(hints, open_clip, hints::read_open_clip);
  add(hints, folder / "config.json", read_config);
  add(hints, folder / "preprocessor_config.json", hints::read_hugging_face_images);
  if (!is_open_clip) add(hints, open_clip, hints::read_open_clip);
  return hints;
}

}  // namespace shiftadd
