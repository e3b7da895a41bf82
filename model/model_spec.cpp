// Knows networks by name, and lists the options of a ModelSpec once, for reading and writing JSON.
#include "model/model_spec.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/config/options.h"
#include "core/io/files.h"
#include "core/io/not_weights.h"
#include "core/names.h"
#include "model/hub_names.h"
#include "model/network.h"

namespace shiftadd {
namespace {

ModelSpec vit(std::string name, int64_t image, int64_t patch, int64_t width, int64_t depth,
              int64_t heads, int64_t classes) {
  ModelSpec spec;
  spec.name = std::move(name);
  spec.image_size = image;
  spec.patch_size = patch;
  spec.width = width;
  spec.depth = depth;
  spec.heads = heads;
  spec.mlp_hidden = 4 * width;
  spec.classes = classes;
  return spec;
}

const std::vector<ModelSpec>& known_specs() {
  static const std::vector<ModelSpec> specs = {
      vit("deit_tiny_patch16_224", 224, 16, 192, 12, 3, 1000),
      vit("deit_small_patch16_224", 224, 16, 384, 12, 6, 1000),
      vit("deit_base_patch16_224", 224, 16, 768, 12, 12, 1000),
      vit("vit_tiny_patch16_224", 224, 16, 192, 12, 3, 1000),
      vit("vit_small_patch16_224", 224, 16, 384, 12, 6, 1000),
      vit("vit_base_patch16_224", 224, 16, 768, 12, 12, 1000),
      vit("vit_cifar", 32, 4, 128, 6, 4, 10),      // 1.2 M parameters: the CIFAR-10 experiments
      vit("vit_cifar_192", 32, 4, 192, 6, 3, 10),  // the training benchmark's small network
      vit("vit_micro", 64, 16, 48, 2, 3, 7),       // the golden network
  };
  return specs;
}

constexpr double kMostSize = 1'000'000, kMostImage = 16'384, kMostBlocks = 16'384;

struct SizeKey {
  const char* key;
  int64_t ModelSpec::*member;
  double most;
  const char* about;
};
constexpr const char* kImageSize = "image_size";
constexpr SizeKey kSizes[] = {
    {"patch_size", &ModelSpec::patch_size, kMostImage,
     "Side of a patch, pixels; divides both sides of the image."},
    {"in_channels", &ModelSpec::in_channels, kMostSize,
     "Channels of the image: 3, RGB, or 1, for which images are turned to gray."},
    {"width", &ModelSpec::width, kMostSize, "Channels of a token; divisible by heads."},
    {"depth", &ModelSpec::depth, kMostBlocks, "Number of blocks."},
    {"heads", &ModelSpec::heads, kMostSize, "Attention heads."},
    {"mlp_hidden", &ModelSpec::mlp_hidden, kMostSize,
     "Channels inside the MLP, usually 4 * width."},
    {"classes", &ModelSpec::classes, kMostSize,
     "Number of classes. 0: no head; in a training: as many as the data has."},
};

void list_embedding(ConfigVisitor& v, ModelSpec& spec) {
  v.boolean("class_token", spec.class_token, "Whether a class token stands before the patches.");
  v.boolean("distillation", spec.distillation,
            "Whether a distillation token follows it, with a head of its own: the answer is the "
            "mean of both heads.");
  v.integer("registers", spec.registers, ConfigRange::between(0, kMostSize),
            "Register tokens, behind the class token.");
  list_choice(v, "positions", spec.positions, "Which tokens have positions.");
  list_choice(v, "position_resize", spec.position_resize,
              "How positions are made to fit another image size: bicubic, plain, with antialias, "
              "or by the factor (side + 0.1) / old side.");
  v.boolean("patch_bias", spec.patch_bias, "Whether the patch embedding has a bias.");
  v.boolean("embedding_norm", spec.embedding_norm, "A norm of all tokens before the blocks.");
}

void list_blocks(ConfigVisitor& v, ModelSpec& spec) {
  list_choice(v, "qkv_bias", spec.qkv_bias, "Which of q, k and v have a bias.");
  v.number("attention_scale", spec.attention_scale, ConfigRange::between(0, 1e6),
           "Factor of q k^T. 0: 1 / sqrt(width / heads).");
  list_choice(v, "activation", spec.activation,
              "Inside the MLP; swiglu: fc1 makes x1 and x2, and silu(x1) x2 goes on.");
  v.boolean("layer_scale", spec.layer_scale,
            "A factor a channel on what attention and MLP add to the tokens.");
  v.boolean("post_norm", spec.post_norm,
            "Norms stand behind attention and MLP: x = norm1(x + attn x).");
}

void list_readout(ConfigVisitor& v, ModelSpec& spec) {
  v.boolean("final_norm", spec.final_norm, "A norm behind the blocks.");
  list_choice(v, "pooling", spec.pooling, "What is read of the tokens; the mean is the patches'.");
  v.boolean("fc_norm", spec.fc_norm, "A norm of what is read.");
  v.integer("pre_logits", spec.pre_logits, ConfigRange::between(0, kMostSize),
            "Outputs of a dense layer and tanh before the head. 0: none.");
  v.integer("projection", spec.projection, ConfigRange::between(0, kMostSize),
            "Outputs of a layer without bias before the head. 0: none.");
}

// A network that names no other to start from says all its sizes: any default would be wrong for
// most, and some (heads) no tensor would contradict.
std::string missing_sizes(const ConfigNode& root, const ConfigReader& reader) {
  std::string missing;
  if (const ConfigNode* base = root.find("base"); base && !base->text.empty()) return missing;
  if (!reader.has(kImageSize)) missing = kImageSize;
  for (const SizeKey& size : kSizes)
    if (size.member != &ModelSpec::in_channels && !reader.has(size.key))
      missing += concat(missing.empty() ? "" : ", ", size.key);
  if (missing.empty()) return missing;
  return concat(missing, missing.find(',') == std::string::npos ? " is" : " are",
                " missing: give every size, or \"base\": NAME of a network to start from");
}

void list_all(ConfigVisitor& v, ModelSpec& spec) {
  list_options(v, spec);
  bool converted = !spec.shift_add.blocks.empty();
  if (v.begin_optional("shift_add", converted,
                       "What adds, shifts or is routed; absent: nothing.")) {
    list_options(v, spec.shift_add);
    v.end();
  }
}

// What a spec's file says; what is printed of a network has no base any more.
void list_file(ConfigVisitor& v, ModelSpec& spec) {
  std::string base;
  list_base(v, base, spec, named_spec, "Start from this known network; keys given beside it win.");
  list_all(v, spec);
}

}  // namespace

std::vector<std::string> spec_names() {
  std::vector<std::string> names;
  for (const ModelSpec& spec : known_specs()) names.push_back(spec.name);
  return names;
}

ModelSpec named_spec(const std::string& name) {
  if (const auto hub = hub_network(name)) return hub->spec;
  for (const ModelSpec& spec : known_specs())
    if (spec.name == name) return spec;
  std::string known;
  for (const std::string& each : spec_names()) known += (known.empty() ? "" : ", ") + each;
  const std::string guess = did_you_mean(name, spec_names());
  throw user_error("unknown architecture '", name, "'", guess.empty() ? "." : guess,
                   " Known: ", known,
                   " (--list-archs says more), and timm's names of ViT, DeiT, "
                   "DeiT III and DINOv2, with their tags; or give a JSON file");
}

void list_base(ConfigVisitor& v, std::string& base, ModelSpec& spec,
               ModelSpec (*load)(const std::string&), const char* about) {
  v.text("base", base, about);
  if (base.empty()) return;
  try {
    spec = load(base);
  } catch (const Error& error) {
    v.reject("base", error.what());
  }
}

void list_options(ConfigVisitor& v, ModelSpec& spec) {
  std::string family = "vit";
  v.choice("family", family, {"vit"}, "Kind of network.");
  v.text("name", spec.name, "Name stored in the model file.");
  v.size(kImageSize, spec.image_size, ConfigRange::between(1, kMostImage),
         "Size of the input image, pixels; also the crop's.");
  for (const SizeKey& size : kSizes) {
    const double least = size.member == &ModelSpec::classes ? 0 : 1;
    v.integer(size.key, spec.*size.member, ConfigRange::between(least, size.most), size.about);
  }
  v.number("norm_eps", spec.norm_eps, {.low = 0, .high = 1, .low_open = true, .high_open = true},
           "Epsilon of the layer norms.");
  list_embedding(v, spec);
  list_blocks(v, spec);
  list_readout(v, spec);
}

namespace {

// What is read must be there.
void validate_tokens(const ModelSpec& spec) {
  for (const auto& [key, size] : {std::pair{"registers", spec.registers},
                                  {"pre_logits", spec.pre_logits},
                                  {"projection", spec.projection}})
    if (!ConfigRange::between(0, kMostSize).contains(static_cast<double>(size)))
      throw key_error(key, "expected a whole number ", ConfigRange::between(0, kMostSize).text(),
                      ", got ", size);
  if (spec.pooling != Pooling::kMean && !spec.class_token)
    throw key_error("pooling", name_of(spec.pooling),
                    " reads the class token, which class_token: false leaves out");
  if (!spec.distillation) return;
  if (!spec.class_token || spec.pooling != Pooling::kClassToken || spec.classes == 0)
    throw key_error("distillation", "true takes a class token, pooling class_token, and classes");
  if (spec.registers || spec.fc_norm || spec.pre_logits || spec.projection)
    throw key_error("distillation",
                    "true takes heads that read their tokens at once: expected registers, "
                    "pre_logits and projection 0, fc_norm false");
}

}  // namespace

void validate(const ModelSpec& spec) {
  for (const int64_t side : {spec.image_size.height, spec.image_size.width})
    if (!ConfigRange::between(1, kMostImage).contains(static_cast<double>(side)))
      throw key_error(kImageSize, "expected a whole number ",
                      ConfigRange::between(1, kMostImage).text(), ", got ", side);
  for (const SizeKey& size : kSizes) {
    const double least = size.member == &ModelSpec::classes ? 0 : 1;
    const ConfigRange range = ConfigRange::between(least, size.most);
    if (!range.contains(static_cast<double>(spec.*size.member)))
      throw key_error(size.key, "expected a whole number ", range.text(), ", got ",
                      spec.*size.member);
  }
  if (spec.width % spec.heads)
    throw key_error("width", spec.width, " is not divisible by heads ", spec.heads);
  for (const int64_t side : {spec.image_size.height, spec.image_size.width})
    if (side % spec.patch_size)
      throw key_error(kImageSize, side, " is not divisible by patch_size ", spec.patch_size);
  if (!(spec.norm_eps > 0 && spec.norm_eps < 1))
    throw key_error("norm_eps", "expected a number above 0 and below 1, got ", spec.norm_eps);
  if (!(spec.attention_scale >= 0 && spec.attention_scale <= 1e6))
    throw key_error("attention_scale", "expected a number from 0 to 1e6, got ",
                    spec.attention_scale);
  validate_tokens(spec);
  const auto blocks = static_cast<int64_t>(spec.shift_add.blocks.size());
  if (blocks != 0 && blocks != spec.depth)
    throw key_error("shift_add.blocks", "has ", blocks, " entries: the network has depth ",
                    spec.depth);
  // Bounds the memory a spec from a foreign file can ask for; 64 bits need not hold the count.
  double parameters = 0;
  for (const Parameter& parameter : parameters_of(spec)) {
    double numbers = 1;
    for (const int64_t size : parameter.shape) numbers *= static_cast<double>(size);
    parameters += numbers;
  }
  if (parameters > 2e10)
    throw user_error("the network would have ", parameters,
                     " parameters: more than 2e10 are not supported");
}

ModelSpec parse_model_spec(std::string_view text, const std::string& source) {
  const ConfigNode root = parse_config_node(text, source);
  ModelSpec spec;
  const ConfigReader reader = read_options(root, spec, list_file);
  reader.checked("shift_add", [&] { validate(spec.shift_add); });
  const std::string missing = missing_sizes(root, reader);
  reader.checked("", [&] {
    try {
      validate(spec);
    } catch (const Error& problem) {
      if (missing.empty()) throw;
      throw user_error(missing, "; ", problem.what());
    }
    if (!missing.empty()) throw user_error(missing);
  });
  return spec;
}

nlohmann::json to_json(const ModelSpec& spec) {
  ModelSpec copy = spec;
  nlohmann::json json = config_json([&](ConfigVisitor& v) { list_all(v, copy); });
  if (json["shift_add"].is_null()) json.erase("shift_add");
  return json;
}

std::string model_spec_help() {
  ModelSpec defaults;
  return config_help([&](ConfigVisitor& v) { list_file(v, defaults); });
}

ModelSpec load_spec(const std::string& name_or_path) {
  const auto names = spec_names();
  if (std::find(names.begin(), names.end(), name_or_path) != names.end())
    return named_spec(name_or_path);
  if (name_or_path.find('/') == std::string::npos && !name_or_path.ends_with(".json"))
    return named_spec(name_or_path);
  const std::string content = read_text(name_or_path);
  require_no_placeholder(content, name_or_path);
  return parse_model_spec(content, name_or_path);
}

}  // namespace shiftadd
