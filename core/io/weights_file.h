// Any file of weights, recognised by its content: safetensors or a PyTorch checkpoint, or an index
// of several.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/io/safetensors.h"
#include "core/tensor.h"

namespace shiftadd {

struct WeightsFile {
  std::string format;  // "safetensors", "pytorch"
  NamedTensors tensors;
  std::map<std::string, std::string> unread;    // tensors that are not read: name, why
  std::map<std::string, std::string> metadata;  // safetensors
  bool has_checksum = false;                    // safetensors of ours; and it is right
  std::string wrapper;                          // these four: see TorchFile
  std::vector<std::string> outside, placeholders, classes;
  std::vector<std::string> files;  // that were read; of several the index is the first
};

/// The file that is meant by `path`: of a folder the first of model.safetensors,
/// model.safetensors.index.json, pytorch_model.bin and pytorch_model.bin.index.json that it holds.
/// Throws Error (user) for a folder with none of them.
std::string weights_path(const std::string& path);

/// Reads weights_path(path) and, where that is an index, the files it names (see read_shards);
/// these have no metadata. `state_dict` chooses the entry of a PyTorch checkpoint (see parse_torch)
/// and must be empty for safetensors; `check_crc` is parse_torch's. Throws Error (user) naming the
/// file, and what it is where it holds no weights.
WeightsFile read_weights(const std::string& path, const std::string& state_dict = "",
                         bool check_crc = true);
/// What read_weights gives of a safetensors file that was read from `path`.
WeightsFile weights_of(TensorFile file, const std::string& path);

}  // namespace shiftadd
