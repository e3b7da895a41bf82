// libFuzzer target of the training checkpoint: a small one with parts replaced, its checksum put
// right again, is read or refused with an Error; what is read can be written, and says the same.
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <span>

#include "core/error.h"
#include "core/io/checksum.h"
#include "core/io/crc32.h"
#include "core/io/files.h"
#include "layers/model.h"
#include "tests/train/tiny_checkpoint.h"
#include "train/checkpoint.h"

using namespace shiftadd;

namespace {

std::string place(const char* name) {
  return (std::filesystem::temp_directory_path() /
          concat("shiftadd-fuzz-", getpid(), name, ".safetensors"))
      .string();
}

std::string text_of(const train::Checkpoint& checkpoint, const char* name) {
  const std::string path = place(name);
  train::save_checkpoint(path, checkpoint);
  std::string text = read_text(path);
  unlink(path.c_str());
  return text;
}

std::string small_checkpoint() {
  const ModelSpec spec{.name = "tiny",
                       .image_size = 4,
                       .patch_size = 4,
                       .in_channels = 1,
                       .width = 4,
                       .depth = 1,
                       .heads = 2,
                       .mlp_hidden = 3,
                       .classes = 2,
                       .norm_eps = 1e-6,
                       .shift_add = {}};
  return text_of(test::tiny_checkpoint(spec, {"a", "b"}), "-base");
}

// The input is a list of edits: where, how many bytes go, how many come (three bytes), and these.
std::string edited(std::string text, std::span<const uint8_t> edits) {
  uint64_t header = 0;
  std::memcpy(&header, text.data(), sizeof header);
  while (edits.size() >= 4 && !text.empty()) {
    const std::size_t at = (edits[0] | edits[1] << 8) % text.size();
    const std::size_t gone = std::min<std::size_t>(edits[2], text.size() - at);
    const std::size_t come = std::min<std::size_t>(edits[3], edits.size() - 4);
    text.replace(at, gone, reinterpret_cast<const char*>(edits.data()) + 4, come);
    if (at >= 8 && at < 8 + header) header += come - gone;
    edits = edits.subspan(4 + come);
  }
  if (text.size() < 8) return text;
  std::memcpy(text.data(), &header, sizeof header);
  const std::string opening = unsummed(kSafetensorsChecksum);
  if (text.size() < 8 + opening.size()) return text;
  text.replace(8, opening.size(), opening);
  set_checksum(kSafetensorsChecksum, text, crc32c(text.data(), text.size()));
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, std::size_t size) {
  static const std::string base = small_checkpoint();
  const std::string text = edited(base, {bytes, size});
  try {
    const TensorFile file = parse_safetensors(text.data(), text.size(), "fuzz.safetensors");
    const train::Checkpoint read = train::checkpoint_in(file, "fuzz.safetensors");
    layers::Model(read.model.spec, {}, 0).load_state_dict(read.model.weights);
    const std::string once = text_of(read, "-once");
    const TensorFile again = parse_safetensors(once.data(), once.size(), "again.safetensors");
    if (text_of(train::checkpoint_in(again, "again.safetensors"), "-twice") != once) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
