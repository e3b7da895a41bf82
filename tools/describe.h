// Which network a checkpoint holds, and all that its model file says beside the weights.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/io/weights_file.h"
#include "model/model_file.h"
#include "model/spec_setting.h"
#include "model/translate.h"

namespace shiftadd::tools {

/// What says which network a checkpoint holds.
struct DescribeArguments {
  std::string input, arch = "auto", mapping, classes, preprocess, state_dict;
  std::vector<SpecSetting> set;    // what the options say of the network
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

/// A line for each problem, indented, of so many as a terminal has room for.
std::string problem_lines(const std::vector<std::string>& problems);

/// `model`, whose weights are there, for images of arguments.image_size: positions are resized, and
/// a name that was made of the sizes is made anew.
void fit_image_size(const DescribeArguments& arguments, ModelFile& model);

/// What the arguments say, else what the input or a file beside it holds, else what its publisher's
/// networks have. Throws Error (user) where that is no network, or not the one that --arch names.
Description describe(const DescribeArguments& arguments, const WeightsFile& weights);

}  // namespace shiftadd::tools
