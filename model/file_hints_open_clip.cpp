// Reads open_clip_config.json: the image tower, and how its images are prepared.
#include "model/dialect.h"
#include "model/file_hints_readers.h"

namespace shiftadd::hints {
namespace {

constexpr int64_t kWidth = 768, kHeadWidth = 64;

void read_pooling(const ForeignObject& tower, FileHints& hints) {
  const std::string name =
      tower.text("pool_type")
          .value_or(tower.flag("global_average_pool").value_or(false) ? "avg" : "tok");
  if (name == "tok") hints.pooling = Pooling::kClassToken;
  if (name == "avg") hints.pooling = Pooling::kMean;
  if (name != "tok" && name != "avg")
    hints.unsupported.push_back(tower.where("pool_type") + ": \"" + name +
                                "\" is no pooling of a network here");
  if (tower.flag("attentional_pool").value_or(false))
    hints.unsupported.push_back(tower.where("attentional_pool") +
                                ": no network here pools by attention");
}

void read_tower(const ForeignObject& tower, FileHints& hints) {
  hints.image_size = shape(tower, "image_size");
  if (const auto other = tower.text("timm_model_name")) {
    hints.architecture = *other;
    return;
  }
  const int64_t width = tower.count("width").value_or(kWidth);
  const int64_t head_width = tower.count("head_width").value_or(kHeadWidth);
  if (width % head_width == 0)
    hints.heads = width / head_width;
  else
    hints.notes.push_back(concat(tower.where("width"), ": ", width, " is no multiple of the ",
                                 head_width, " of a head: give --set heads=N"));
  hints.patch_size = patch_side(tower, "patch_size", hints);
  read_pooling(tower, hints);
  if (const auto norm = tower.object("norm_kwargs")) hints.norm_eps = norm->number("eps");
  if (const auto act = tower.object("act_kwargs"))
    if (act->text("approximate").value_or("none") == "tanh")
      hints.activation = HiddenActivation::kGeluTanh;
}

void read_preprocess(const ForeignObject& config, FileHints& hints) {
  std::optional<Grid> size = shape(config, "size");
  if (!size) size = hints.image_size;
  const auto filter = interpolation(config, "interpolation", hints);
  const Colours given =
      colours(config, "mean", "std", colours_of(known_dialect("open_clip").preprocess));
  const std::string mode = config.text("resize_mode").value_or("shortest");
  if (!filter || !size) return;
  Preprocess preprocess = {.resize = size->shorter(), .crop = *size, .interpolation = *filter};
  set_colours(config, "std", given, 1, preprocess);
  if (mode == "squash") preprocess.resize_mode = ResizeMode::kSquash;
  // Of no square only the squash is the same here.
  if (mode == "shortest" && !size->is_square()) {
    note_images(config, "size", "is no square", hints);
    return;
  }
  if (mode == "squash" || mode == "shortest")
    hints.preprocess = preprocess;
  else
    note_images(config, "resize_mode", "is no way to resize here", hints);
}

}  // namespace

void read_open_clip(const ForeignObject& config, FileHints& hints) {
  const auto model = config.object("model_cfg");
  if (!model) return;
  if (const auto tower = model->object("vision_cfg")) read_tower(*tower, hints);
  if (hints.architecture.empty() && !hints.activation)
    hints.activation = model->flag("quick_gelu").value_or(false) ? HiddenActivation::kQuickGelu
                                                                 : HiddenActivation::kGelu;
  if (const auto images = config.object("preprocess_cfg")) read_preprocess(*images, hints);
}

}  // namespace shiftadd::hints
