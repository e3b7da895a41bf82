// Tells safetensors files from PyTorch checkpoints by their content, and calls the right reader.
#include "core/io/weights_file.h"

#include <algorithm>
#include <filesystem>

#include "core/io/files.h"
#include "core/io/not_weights.h"
#include "core/io/shards.h"
#include "core/io/torch_file.h"

namespace shiftadd {
namespace {

// A safetensors file is an 8-byte size, of which the upper bytes are zero, and a JSON object, which
// white space may come before.
bool looks_like_safetensors(const MappedFile& file) {
  if (file.size <= 8 || file.data[6] != 0 || file.data[7] != 0) return false;
  const auto* const first = std::find_if_not(
      file.data + 8, file.data + file.size,
      [](uint8_t byte) { return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n'; });
  return first != file.data + file.size && *first == '{';
}

WeightsFile read_one(const std::string& path, const MappedFile& file, const std::string& state_dict,
                     bool check_crc) {
  if (!looks_like_safetensors(file) && looks_like_torch(file.data, file.size)) {
    WeightsFile result;
    result.files = {path};
    TorchFile torch = parse_torch(file.data, file.size, path, state_dict, file.owner, check_crc);
    result.format = "pytorch";
    result.tensors = std::move(torch.tensors);
    result.unread = std::move(torch.unread);
    result.wrapper = std::move(torch.wrapper);
    result.outside = std::move(torch.outside);
    result.placeholders = std::move(torch.placeholders);
    result.classes = std::move(torch.classes);
    return result;
  }
  if (!looks_like_safetensors(file) && !path.ends_with(".safetensors")) {
    const std::string what = what_instead_of_weights(file.data, file.size);
    if (!what.empty()) throw user_error(path, " ", what);
    throw user_error(path, ": neither a safetensors file nor a PyTorch checkpoint (", file.size,
                     " bytes)");
  }
  if (!state_dict.empty())
    throw user_error(path, ": is a safetensors file, which has no state dict '", state_dict,
                     "' to choose");
  return weights_of(read_safetensors(path), path);
}

}  // namespace

std::string weights_path(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return path;
  for (const char* name : {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                           "pytorch_model.bin.index.json"})
    if (fs::exists(fs::path(path) / name, ignored)) return fs::path(path) / name;
  throw user_error(path, ": a folder without weights: expected model.safetensors or ",
                   "pytorch_model.bin in it, or the .index.json of either; or name a file");
}

WeightsFile read_weights(const std::string& path, const std::string& state_dict, bool check_crc) {
  const std::string whole = weights_path(path);
  const MappedFile file = map_file(whole);
  const std::string_view text(reinterpret_cast<const char*>(file.data), file.size);
  if (!looks_like_safetensors(file) && looks_like_shard_index(text))
    return read_shards(whole, text, [&](const std::string& shard) {
      return read_one(shard, map_file(shard), state_dict, check_crc);
    });
  return read_one(whole, file, state_dict, check_crc);
}

WeightsFile weights_of(TensorFile file, const std::string& path) {
  WeightsFile result;
  result.files = {path};
  result.format = "safetensors";
  result.tensors = std::move(file.tensors);
  for (auto& [name, type] : file.unread)
    result.unread.emplace(name, "is of type " + type + ", which is not read");
  result.metadata = std::move(file.metadata);
  result.has_checksum = file.has_checksum;
  return result;
}

}  // namespace shiftadd
