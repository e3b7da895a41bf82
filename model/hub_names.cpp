// Takes hub names apart.
#include "model/hub_names.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "model/convert.h"

namespace shiftadd {
namespace {

struct Size {
  std::string_view name;
  int64_t width, depth, heads;
};
constexpr Size kSizes[] = {{"tiny", 192, 12, 3},   {"small", 384, 12, 6},   {"medium", 512, 12, 8},
                           {"base", 768, 12, 12},  {"large", 1024, 24, 16}, {"huge", 1280, 32, 16},
                           {"giant", 1536, 40, 24}};
constexpr int64_t kImageNet21k = 21843;

// What is said of a family's weights of one tag; "" stands for no tag.
struct Weights {
  std::string_view family, tag;
  int64_t classes;
  bool half_colours;  // mean and deviation 0.5, not ImageNet's
  double crop_share;
};
constexpr Weights kWeights[] = {{"vit", "", 1000, true, 0.9},
                                {"vit", "augreg_in1k", 1000, true, 0.9},
                                {"vit", "augreg_in21k", kImageNet21k, true, 0.9},
                                {"vit", "augreg_in21k_ft_in1k", 1000, true, 0.9},
                                {"vit", "augreg2_in21k_ft_in1k", 1000, true, 0.9},
                                {"vit", "orig_in21k_ft_in1k", 1000, true, 0.9},
                                {"vit", "sam_in1k", 1000, true, 0.9},
                                {"vit", "dino", 0, false, 0.9},
                                {"vit", "mae", 0, false, 0.9},
                                {"deit", "", 1000, false, 0.875},
                                {"deit", "fb_in1k", 1000, false, 0.9},
                                {"deit3", "", 1000, false, 0.9},
                                {"deit3", "fb_in1k", 1000, false, 0.9},
                                {"deit3", "fb_in22k_ft_in1k", 1000, false, 1},
                                {"dinov2", "", 0, false, 1},
                                {"dinov2", "lvd142m", 0, false, 1}};

// Eats words from the front of a name.
class Words {
 public:
  explicit Words(std::string_view text) : left_(text) {}
  bool word(std::string_view expected) {
    const bool fits = left_.starts_with(expected);
    if (fits) left_.remove_prefix(expected.size());
    return fits;
  }
  std::optional<int64_t> number() {
    int64_t value = 0;
    const auto [stop, error] = std::from_chars(left_.data(), left_.data() + left_.size(), value);
    if (error != std::errc() || value < 1 || value > kLargestSide) return std::nullopt;
    left_.remove_prefix(static_cast<std::size_t>(stop - left_.data()));
    return value;
  }
  bool is_empty() const { return left_.empty(); }

 private:
  std::string_view left_;
};

struct Parsed {
  std::string_view family;
  ModelSpec spec;
};

void make_dinov2(ModelSpec& spec, bool has_registers) {
  spec.image_size = 518;
  spec.layer_scale = true;
  if (has_registers) spec.registers = 4, spec.positions = PositionScope::kPatches;
  if (spec.width == 1536) spec.activation = HiddenActivation::kSwiGlu, spec.mlp_hidden = 4096;
}

std::optional<Parsed> parse(std::string_view name) {
  Words words(name);
  Parsed parsed;
  ModelSpec& spec = parsed.spec;
  for (const std::string_view family : {"vit", "deit3", "deit"})
    if (parsed.family.empty() && words.word(family)) parsed.family = family;
  if (parsed.family.empty() || !words.word("_")) return std::nullopt;
  const Size* size = std::find_if(std::begin(kSizes), std::end(kSizes),
                                  [&](const Size& each) { return words.word(each.name); });
  if (size == std::end(kSizes)) return std::nullopt;
  spec.name = name;
  spec.width = size->width, spec.depth = size->depth, spec.heads = size->heads;
  spec.mlp_hidden = 4 * spec.width;
  spec.distillation = parsed.family == "deit" && words.word("_distilled");
  if (!words.word("_patch")) return std::nullopt;
  const auto patch = words.number();
  if (!patch) return std::nullopt;
  spec.patch_size = *patch;
  const bool has_registers = words.word("_reg4");
  if (words.word("_dinov2")) {
    if (parsed.family != "vit" || !words.is_empty()) return std::nullopt;
    parsed.family = "dinov2";
    make_dinov2(spec, has_registers);
  } else {
    const auto image = !has_registers && words.word("_") ? words.number() : std::nullopt;
    if (!image || !words.is_empty()) return std::nullopt;
    spec.image_size = *image;
  }
  spec.position_resize =
      parsed.family == "deit" ? PositionResize::kPlain : PositionResize::kAntialias;
  if (parsed.family == "deit3") spec.layer_scale = true, spec.positions = PositionScope::kPatches;
  if (spec.image_size.height % spec.patch_size) return std::nullopt;
  return parsed;
}

}  // namespace

std::optional<HubNetwork> hub_network(const std::string& name) {
  const std::size_t dot = std::min(name.find('.'), name.size());
  const std::string_view all = name, tag = all.substr(std::min(dot + 1, all.size()));
  auto parsed = parse(all.substr(0, dot));
  if (!parsed) return std::nullopt;
  const Weights* weights = std::find_if(
      std::begin(kWeights), std::end(kWeights),
      [&](const Weights& each) { return each.family == parsed->family && each.tag == tag; });
  if (weights == std::end(kWeights)) return std::nullopt;
  parsed->spec.classes = weights->classes;
  parsed->spec.name = name;
  constexpr int64_t kUsual = 224;  // larger images are not cropped
  const int64_t side = parsed->spec.image_size.height;
  const bool is_whole = side > kUsual;
  const double share = is_whole ? 1 : weights->crop_share;
  HubNetwork network{parsed->spec, default_preprocess(parsed->spec)};
  network.preprocess.resize =  // rounded down, as timm does
      static_cast<int64_t>(static_cast<double>(side) / share);
  if (weights->half_colours) network.preprocess.mean = network.preprocess.std = {0.5F, 0.5F, 0.5F};
  return network;
}

}  // namespace shiftadd
