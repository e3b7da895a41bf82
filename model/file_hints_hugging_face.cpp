// Reads Hugging Face's config.json.
#include "model/file_hints_readers.h"

namespace shiftadd::hints {
namespace {

// Names that stand for no name: "LABEL_0", "LABEL_1", ...
bool is_placeholder(const std::vector<std::string>& names) {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] != concat("LABEL_", i)) return false;
  return true;
}

// "id2label": {"0": "cat", "1": "dog"}.
void read_labels(const ForeignObject& config, FileHints& hints) {
  const ConfigNode* labels = config.find("id2label");
  if (!labels) return;
  const ForeignObject by_index(*labels, "id2label");
  std::vector<std::string> names;
  for (std::size_t i = 0; i < labels->members.size(); ++i) {
    const auto name = by_index.text(std::to_string(i));
    if (!name)
      throw user_error(config.where("id2label"), ": expected a name for each of 0 to ",
                       labels->members.size() - 1, ", has none for ", i);
    names.push_back(*name);
  }
  if (!is_placeholder(names)) hints.classes = std::move(names);
}

// The sizes and functions of an image network.
void read_network(const ForeignObject& network, FileHints& hints) {
  hints.heads = network.count("num_attention_heads");
  hints.depth = network.count("num_hidden_layers");
  hints.image_size = shape(network, "image_size");
  hints.patch_size = patch_side(network, "patch_size", hints);
  hints.channels = network.count("num_channels");
  hints.norm_eps = network.number("layer_norm_eps");
  hints.qkv_bias = network.flag("qkv_bias");
  if (network.flag("use_swiglu_ffn").value_or(false))
    hints.activation = HiddenActivation::kSwiGlu;
  else
    set_activation(network, "hidden_act", hints);
}

// Of a file for image and text, keys of the image network that are CLIP's own values are left out.
void fill_clip(FileHints& hints) {
  if (!hints.heads) hints.heads = 12;
  if (!hints.norm_eps) hints.norm_eps = 1e-5;
  if (!hints.image_size) hints.image_size = 224;
  if (!hints.patch_size) hints.patch_size = 32;
  if (!hints.activation && hints.unsupported.empty())
    hints.activation = HiddenActivation::kQuickGelu;
}

}  // namespace

void read_hugging_face(const ForeignObject& config, FileHints& hints) {
  hints.model_type = config.text("model_type").value_or("");
  if (const ConfigNode* names = config.find("architectures")) {
    if (names->kind != ConfigNode::Kind::kArray || names->items.empty() ||
        names->items.front().kind != ConfigNode::Kind::kString)
      config.expected("architectures", "a list of names");
    hints.architecture = names->items.front().text;
  }
  if (const auto tower = config.object("vision_config")) {
    read_network(*tower, hints);
    if (hints.model_type == "clip") fill_clip(hints);
  } else {
    read_network(config, hints);
  }
  read_labels(config, hints);
}

}  // namespace shiftadd::hints
