// Lists the options of a ShiftAddSpec once, for model files, training configs and their help.
#include "model/shift_add_spec.h"

#include <nlohmann/json.hpp>

#include "core/config/options.h"

namespace shiftadd {
namespace {

void list_kinds(ConfigVisitor& v, BlockKinds& block) {
  list_choice(v, "attention", block.attention, "Products of the attention.");
  list_choice(v, "qkv", block.qkv, "The layer that makes q, k and v.");
  list_choice(v, "proj", block.proj, "The layer after the attention.");
  list_choice(v, "mlp", block.mlp, "Both layers of the MLP.");
}

}  // namespace

void list_conversion(ConfigVisitor& v, ShiftAddSpec& spec) {
  list_choice(v, "codes", spec.codes,
              "Of q and k: one bit, or two with a learned temperature for each head (bipolar2). "
              "softmax_add has signs in place of unit_*.",
              {Codes::kNone});
  list_choice(v, "value", spec.values, "v beside codes: one scale per image and head.");
  list_choice(v, "local", spec.local, "Convolution of v beside linear attention.");
  list_choice(v, "form", spec.form,
              "Latent parameters of Shift layers: a weight, or a shift and a sign.");
  list_choice(v, "format", spec.format, "Of Shift weights; 4bit is deployable.");
  auto activations = spec.int8_activations ? ValueFormat::kInt8 : ValueFormat::kFloat;
  list_choice(v, "activations", activations, "Inputs of Shift layers: one scale per token.");
  spec.int8_activations = activations == ValueFormat::kInt8;
  list_choice(
      v, "gate", spec.gate,
      "What a mixture's output is multiplied by; fixed_split: no router, every second token is "
      "shifted.");
}

void list_options(ConfigVisitor& v, ShiftAddSpec& spec) {
  list_conversion(v, spec);
  list_objects(v, "blocks", spec.blocks, "What each block is; none: all are plain.", list_kinds);
}

void validate(const ShiftAddSpec& spec) {
  if (spec.codes == Codes::kNone)
    throw key_error("codes", "'none' is what attention 'linear' is for");
  if (spec.form == ShiftForm::kPs && spec.format == ShiftFormat::k4Bit)
    throw key_error("form", "'ps' has no per-row scale: use it with format '5bit'");
}

nlohmann::json to_json(const ShiftAddSpec& spec) {
  ShiftAddSpec copy = spec;
  return config_json([&](ConfigVisitor& v) { list_options(v, copy); });
}

}  // namespace shiftadd
