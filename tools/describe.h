// Which network a checkpoint holds, and all that its model file says beside the weights.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/io/weights_file.h"
#include "model/model_file.h"
#include "model/translate.h"

namespace shiftadd::tools {

struct ConvertArguments {
  std::string input, arch = "auto", mapping, classes, preprocess, state_dict, out, to = "ours",
                     report;
  std::vector<std::string> set;    // "heads=3"
  std::optional<Grid> image_size;  // of the model that is written; none: of the checkpoint
  ConvertOptions options;
  bool no_crc = false;
};

struct Description {
  ModelFile model;  // without its weights
  Translation translation;
  std::vector<std::string> notes;  // lines for the terminal: what was known and what assumed
  bool assumes = false;            // something that an evaluation should confirm
};

bool is_inline_json(const std::string& text);

/// `model`, whose weights are there, for images of arguments.image_size: positions are resized.
void fit_image_size(const ConvertArguments& arguments, ModelFile& model);

/// What the arguments say, else what the input or a file beside it holds, else what its publisher's
/// networks have. Throws Error (user) where that is no network, or not the one that --arch names.
Description describe(const ConvertArguments& arguments, const WeightsFile& weights);

}  // namespace shiftadd::tools
