// See weights_file.h.
#include "core/io/weights_file.h"

#include <cstring>

#include "core/io/files.h"
#include "core/io/safetensors.h"
#include "core/io/torch_file.h"

namespace shiftadd {
namespace {

// A safetensors file is an 8-byte size and a JSON object.
bool looks_like_safetensors(const MappedFile& file) { return file.size > 8 && file.data[8] == '{'; }

}  // namespace

WeightsFile read_weights(const std::string& path, const std::string& state_dict) {
  const MappedFile file = map_file(path);
  WeightsFile result;
  if (looks_like_torch(file.data, file.size)) {
    TorchFile torch = parse_torch(file.data, file.size, path, state_dict, file.owner);
    result.format = "pytorch";
    result.tensors = std::move(torch.tensors);
    result.wrapper = std::move(torch.wrapper);
    result.outside = std::move(torch.outside);
    result.placeholders = std::move(torch.placeholders);
    result.classes = std::move(torch.classes);
    return result;
  }
  if (!looks_like_safetensors(file) && !path.ends_with(".safetensors")) {
    const bool is_pickle = file.size > 1 && file.data[0] == 0x80 && file.data[1] <= 5;
    throw user_error(path, ": neither a safetensors file nor a PyTorch checkpoint",
                     is_pickle ? " (a bare pickle: save it with torch.save)" : "", "; it has ", file.size, " bytes");
  }
  if (!state_dict.empty())
    throw user_error(path, ": is a safetensors file, which has no state dict '", state_dict, "' to choose");
  TensorFile tensors = read_safetensors(path);
  result.format = "safetensors";
  result.tensors = std::move(tensors.tensors);
  result.metadata = std::move(tensors.metadata);
  return result;
}

}  // namespace shiftadd
