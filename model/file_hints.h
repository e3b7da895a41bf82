// What lies beside a published checkpoint says of its network what the tensors do not.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/preprocess.h"
#include "model/model_spec.h"

namespace shiftadd {

/// What is not said is absent. Sizes are there to be held against the tensors, too.
struct FileHints {
  std::optional<int64_t> heads, depth, patch_size, channels, class_count;
  std::optional<Grid> image_size;
  std::optional<double> norm_eps;
  std::optional<HiddenActivation> activation;
  std::optional<bool> qkv_bias;
  std::optional<Pooling> pooling;
  std::optional<Preprocess> preprocess;
  std::vector<std::string> classes;  // empty: unnamed
  std::string architecture;  // "ViTForImageClassification", "vit_base_patch16_224.augreg_in21k"
  std::string model_type;    // Hugging Face's: "vit", "dinov2"

  std::vector<std::string> sources;            // the files that were read
  std::map<std::string, std::string> said_by;  // which of them said "heads", "preprocess", ...
  /// What was understood but is not used, to be printed: "FILE:LINE: key: why".
  std::vector<std::string> notes;
  /// What no network here can do, in the same form: whoever trusts the hints has to refuse it.
  std::vector<std::string> unsupported;
};

/// Reads what lies in the folder of `checkpoint` (or in `checkpoint`, where it is a folder):
/// config.json of Hugging Face or of timm, Hugging Face's preprocessor_config.json, and
/// open_clip_config.json, which comes first for a checkpoint named open_clip... . Files may be
/// absent, and keys that are not known count for nothing. Of two that say how images are prepared,
/// the first counts. Throws Error (user) "FILE:LINE: key: ..." for a file that is no JSON and a
/// value of a wrong type, and where two files say different things of the network.
FileHints hints_beside(const std::string& checkpoint);

}  // namespace shiftadd
