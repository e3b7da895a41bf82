// Weighs what the arguments, the tensors and the files beside them say of a network.
#include "tools/describe.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/class_names.h"
#include "core/io/files.h"
#include "core/io/json_text.h"
#include "core/io/not_weights.h"
#include "model/convert.h"
#include "model/detect_spec.h"
#include "model/file_hints.h"
#include "model/hub_names.h"
#include "model/positions.h"

namespace shiftadd::tools {
namespace {

// `option` is inline JSON or a path.
Preprocess merged_preprocess(const Preprocess& base, const std::string& option) {
  if (is_inline_json(option)) return parse_preprocess(option, "--preprocess", base);
  const std::string text = read_text(option);
  require_no_placeholder(text, option);
  return parse_preprocess(text, option, base);
}

// Tensors may fit both ways, as those of any number of heads and of softmax_add do: the answers
// would be wrong without a word.
void require_same_network(const DescribeArguments& arguments, const ModelSpec& from,
                          const ModelSpec& to) {
  const std::string difference = spec_difference(to, from);
  if (difference.empty()) return;
  throw user_error("--arch ", arguments.arch, " is another network than ", arguments.input,
                   " holds: ", difference,
                   ". Leave --arch out to keep it as it is; shiftadd-train turns a network into "
                   "another (surgery.recipe, init.adapt)");
}

// A file that does not say what network it holds may be a plain one, and every tensor of one that
// only shifts, or only has codes, fits a plain one's: unless tensors of its own tell it, it is not
// taken for a converted one.
void require_told(const DescribeArguments& arguments, const ModelSpec& spec) {
  ModelSpec plain = spec;
  plain.shift_add = {};
  if (parameters_of(spec).size() != parameters_of(plain).size()) return;
  throw user_error(
      arguments.input, " does not say that it was trained as a converted network, and would fit a ",
      "plain one as well as --arch ", arguments.arch, " (", spec_difference(spec, plain),
      "): give the plain architecture; shiftadd-train turns it into the other (surgery.recipe)");
}

std::vector<Dialect> dialects_of(const DescribeArguments& arguments) {
  if (arguments.mapping.empty()) return {};
  return {Dialect::load(arguments.mapping)};
}

// What lies beside a checkpoint says, in the words of --set.
std::vector<SpecSetting> settings_of(const FileHints& hints) {
  std::vector<SpecSetting> settings;
  const auto add = [&](const char* key, const auto& value) {
    settings.push_back({concat(key, "=", value), hints.said_by.at(key)});
  };
  if (hints.heads) add("heads", *hints.heads);
  if (hints.norm_eps) add("norm_eps", json_text(nlohmann::json(*hints.norm_eps)));
  if (hints.activation) add("activation", name_of(*hints.activation));
  if (hints.pooling) add("pooling", name_of(*hints.pooling));
  return settings;
}

// Of the images that the model will take.
Grid size_of(const DescribeArguments& arguments, const ModelFile& model) {
  return arguments.image_size.value_or(model.spec.image_size);
}

// The same share of the image for another size than the network's; what is for yet another one
// stays. Small images, which are used as they are, tell no share.
void fit_preprocess(const ModelSpec& spec, const Grid& size, Preprocess& images) {
  if (images.crop != spec.image_size || images.crop == size) return;
  const bool is_small = images.resize == 0 && default_preprocess(spec).resize == 0;
  const int64_t before = images.crop_side();
  images.crop = size;
  images.resize = images.resize * images.crop_side() / before;
  if (!is_small) return;
  ModelSpec larger = spec;
  larger.image_size = size;
  images.resize = default_preprocess(larger).resize;
}

// A configuration that lies beside another checkpoint would give it wrong heads without a word.
void require_agreement(const FileHints& hints, const ModelSpec& spec) {
  const auto compare = [&](const char* key, const std::optional<int64_t>& said, int64_t found) {
    if (said && *said != found)
      throw user_error(hints.said_by.at(key), " says ", key, " ", *said, ", the tensors ", found,
                       ": it belongs to another checkpoint");
  };
  compare("depth", hints.depth, spec.depth);
  compare("patch_size", hints.patch_size, spec.patch_size);
  compare("in_channels", hints.channels, spec.in_channels);
}

void refuse(const DescribeArguments& arguments, const Translation& translation,
            const std::vector<std::string>& problems) {
  throw user_error(
      arguments.input, " holds no network that is known, by the names of ",
      translation.dialect.description, ":", problem_lines(problems),
      "\nSay with --set KEY=VALUE what the tensors do not tell; shiftadd-convert takes "
      "--arch, and with --mapping other names, too");
}

// The network that the tensors and the files beside them describe.
void detect(const DescribeArguments& arguments, const WeightsFile& weights, const FileHints& hints,
            Description& description) {
  Translation& translation = description.translation;
  translation = translate(weights, dialects_of(arguments), nullptr, arguments.options);
  std::vector<SpecSetting> settings = settings_of(hints);
  settings.insert(settings.end(), arguments.set.begin(), arguments.set.end());
  DetectedSpec detected = detect_spec(translation, settings);
  if (!detected.problems.empty()) refuse(arguments, translation, detected.problems);
  for (const std::string& each : hints.unsupported) throw user_error(each);
  require_agreement(hints, detected.spec);
  description.model.spec = detected.spec;
  description.notes.push_back(
      concat("family: ", translation.dialect.description,
             translation.prefix.empty() ? "" : concat(", behind '", translation.prefix, "'")));
  for (const std::string& each : detected.known) description.notes.push_back("known: " + each);
  for (const std::string& each : detected.assumed) description.notes.push_back("assumed: " + each);
  for (const std::string& each : hints.notes) description.notes.push_back(each);
  description.assumes = true;
}

// A publisher may prepare smaller images than the positions are for.
void use_preprocess(const DescribeArguments& arguments, const FileHints& hints,
                    Description& description) {
  ModelFile& model = description.model;
  const Grid size = size_of(arguments, model);
  if (hints.preprocess && hints.preprocess->crop == size) {
    model.preprocess = *hints.preprocess;
    if (arguments.preprocess.empty())
      description.notes.push_back(concat("known: preprocess ", json_text(to_json(model.preprocess)),
                                         " (", hints.said_by.at("preprocess"), ")"));
    return;
  }
  if (hints.preprocess)
    description.notes.push_back(
        concat(hints.said_by.at("preprocess"), " prepares images of ", hints.preprocess->crop,
               ", this model takes ", size, ": shiftadd-convert --image-size ",
               grid_text(hints.preprocess->crop), " makes one that takes the same"));
  fit_preprocess(model.spec, size, model.preprocess);
  if (arguments.preprocess.empty())
    description.notes.push_back(concat("assumed: preprocess ", json_text(to_json(model.preprocess)),
                                       " (", description.translation.dialect.description, ")"));
}

void describe_foreign(const DescribeArguments& arguments, const WeightsFile& weights,
                      Description& description) {
  ModelFile& model = description.model;
  FileHints hints;
  if (arguments.arch == "auto") {
    hints = hints_beside(arguments.input);
    detect(arguments, weights, hints, description);
  } else {
    model.spec = load_spec(arguments.arch);
    for (const SpecSetting& each : arguments.set) model.spec = with_setting(model.spec, each);
    validate(model.spec);
    if (model.spec.converted()) require_told(arguments, model.spec);
    const std::vector<Parameter> parameters = parameters_of(model.spec);
    description.translation =
        translate(weights, dialects_of(arguments), &parameters, arguments.options);
  }
  model.names = description.translation.names;
  model.preprocess = preprocess_of(model.spec, description.translation.dialect);
  if (const auto hub = hub_network(arguments.arch)) {
    model.preprocess = hub->preprocess;
    fit_preprocess(hub->spec, model.spec.image_size, model.preprocess);
  }
  model.classes = weights.classes;
  if (arguments.arch != "auto") return;
  if (model.classes.empty() && static_cast<int64_t>(hints.classes.size()) == model.spec.classes)
    model.classes = hints.classes;
  use_preprocess(arguments, hints, description);
}

void describe_ours(const DescribeArguments& arguments, const WeightsFile& weights,
                   Description& description) {
  ModelFile& model = description.model;
  model = load_model(weights.files.front());
  model.weights.clear();
  if (!arguments.set.empty())
    throw user_error("--set and its like say what a foreign checkpoint does not tell: ",
                     arguments.input, " is a model file, which says it all");
  if (arguments.arch != "auto") {
    const ModelSpec spec = load_spec(arguments.arch);
    require_same_network(arguments, model.spec, spec);
    model.spec = spec;
  }
  const std::vector<Parameter> parameters = parameters_of(model.spec);
  description.translation =
      translate(weights, dialects_of(arguments), &parameters, arguments.options);
}

}  // namespace

void fit_image_size(const DescribeArguments& arguments, ModelFile& model) {
  ModelSpec to = model.spec;
  to.image_size = size_of(arguments, model);
  validate(to);
  if (to.name == usual_name(model.spec)) to.name = usual_name(to);
  resize_positions(model.spec, to, model.weights);
  model.spec = to;
}

bool is_inline_json(const std::string& text) { return text.starts_with('{'); }

std::string problem_lines(const std::vector<std::string>& problems) {
  constexpr std::size_t kMost = 20;
  std::string text;
  for (std::size_t i = 0; i < problems.size() && i < kMost; ++i) text += "\n  " + problems[i];
  if (problems.size() > kMost) text += concat("\n  and ", problems.size() - kMost, " more");
  return text;
}

Description describe(const DescribeArguments& arguments, const WeightsFile& weights) {
  Description description;
  ModelFile& model = description.model;
  require_agreement(arguments.set);
  if (weights.metadata.contains("shiftadd.model"))
    describe_ours(arguments, weights, description);
  else
    describe_foreign(arguments, weights, description);
  const Grid size = size_of(arguments, model);
  fit_preprocess(model.spec, size, model.preprocess);
  if (!arguments.preprocess.empty())
    model.preprocess = merged_preprocess(model.preprocess, arguments.preprocess);
  if (model.preprocess.crop != size)
    throw user_error("--preprocess: crop is ", model.preprocess.crop, ", the architecture '",
                     model.spec.name, "' takes images of ", size, " pixels (height x width)");
  const int64_t channels = model.spec.in_channels;
  if (channels == 1 || channels == 3)  // no image becomes the input of any other network
    require_channels(model.preprocess, channels, "--preprocess");
  if (!arguments.classes.empty()) {
    ClassNames given = read_class_names(arguments.classes);
    model.classes = std::move(given.names);
    model.class_ids = std::move(given.ids);
  }
  const int64_t named = static_cast<int64_t>(model.classes.size());
  if (named && named != model.spec.classes)
    throw user_error(arguments.classes.empty() ? arguments.input : arguments.classes, ": ", named,
                     " class names, the architecture '", model.spec.name, "' has ",
                     model.spec.classes, " classes");
  return description;
}

}  // namespace shiftadd::tools
