// Networks that their tensors' names and shapes describe, in the names of each publisher.
#include <nlohmann/json.hpp>
#include <set>

#include "core/io/files.h"
#include "tests/model/foreign_support.h"

using namespace shiftadd;
using test::file_of;
using test::find_network;
using test::Found;
using test::numbered_weights;

namespace {

constexpr const char* kPublished[] = {
    "deit_distilled",    "deit3",         "deit3_timm",       "dinov2_reg",
    "dinov2_swiglu",     "hf_dinov2_reg", "hf_vit",           "hf_vit_sharded",
    "hf_deit_distilled", "torchvision",   "torchvision_ddp",  "mae",
    "mae_finetuned",     "gap",           "in21k_pre_logits", "no_qkv_bias",
    "qv_bias",           "openai_clip"};

// What INDEX.json says of a network, as a description.
ModelSpec described(const nlohmann::json& words) {
  ModelSpec spec;
  spec.image_size = 32, spec.patch_size = 8, spec.width = 48, spec.depth = 2, spec.heads = 3;
  spec.mlp_hidden = 96, spec.norm_eps = words.at("eps");
  spec.classes = words.at("head") ? 7 : 0;
  spec.class_token = words.at("cls"), spec.distillation = words.at("dist");
  spec.registers = words.at("registers");
  if (words.at("pos") == "patches") spec.positions = PositionScope::kPatches;
  if (spec.registers) spec.positions = PositionScope::kNoRegisters;
  spec.layer_scale = words.at("scale"), spec.embedding_norm = words.at("ln_pre");
  spec.patch_bias = words.at("proj_out") == 0, spec.projection = words.at("proj_out");
  spec.qkv_bias = kind_of<QkvBias>(words.at("qkv_bias"), "qkv_bias");
  spec.activation = kind_of<HiddenActivation>(
      words.at("mlp") == "swiglu" ? "swiglu" : words.at("act").get<std::string>(), "act");
  spec.final_norm = words.at("norm"), spec.pre_logits = words.at("pre_logits") ? 48 : 0;
  spec.fc_norm = words.at("pool") == "fc_norm";
  spec.pooling = spec.fc_norm                           ? Pooling::kMean
                 : words.at("pool") == "token_and_mean" ? Pooling::kClassTokenAndMean
                                                        : Pooling::kClassToken;
  return spec;
}

ModelSpec small() {
  ModelSpec spec;
  spec.image_size = 8, spec.patch_size = 4, spec.width = 6, spec.depth = 2, spec.heads = 3;
  spec.mlp_hidden = 10, spec.classes = 5;
  return spec;
}

// Two descriptions but for the name, and how positions are resized.
std::string difference(ModelSpec found, const ModelSpec& expected) {
  found.position_resize = expected.position_resize;
  return spec_difference(found, expected);
}

}  // namespace

TEST_CASE("the published checkpoints are described by their tensors, and written back") {
  const std::string folder = test::shared_path("golden/backbones");
  if (folder.empty()) return;
  const nlohmann::json index = nlohmann::json::parse(read_text(folder + "/INDEX.json"));
  CHECK(index.size() == std::size(kPublished));
  for (const nlohmann::json& entry : index) {
    const std::string name = entry.at("name");
    CAPTURE(name);
    const WeightsFile file = read_weights(folder + "/" + entry.at("file").get<std::string>());
    const Found found = find_network(file);
    for (const std::string& problem : found.problems) FAIL_CHECK(problem);
    if (!found.problems.empty()) continue;
    CHECK(difference(found.spec(), described(entry.at("spec"))).empty());
    const NamedTensors back =
        under_names_of("origin", found.conversion.names, found.spec(), found.conversion.weights);
    std::size_t used = 0;
    for (const auto& [source, tensor] : file.tensors) {
      const std::string& prefix = found.conversion.prefix;
      const Tensor* written = test::tensor_in(back, source.substr(prefix.size()));
      const bool is_harmless =
          source.ends_with("mask_token") || source == "logit_scale" || source == "text_projection";
      CHECK_MESSAGE((written == nullptr) == is_harmless, source);
      if (written) CHECK_MESSAGE(test::same_bytes(*written, tensor), source);
      used += written != nullptr;
    }
    CHECK(back.size() == used);
  }
}

TEST_CASE("every variant goes into a publisher's names and back") {
  struct Case {
    const char* to;
    std::function<void(ModelSpec&)> change;
  };
  const auto scaled = [](ModelSpec& spec) { spec.layer_scale = true; };
  const auto swiglu = [](ModelSpec& spec) {
    spec.layer_scale = true, spec.activation = HiddenActivation::kSwiGlu;
  };
  const auto registers = [](ModelSpec& spec) {
    spec.layer_scale = true, spec.registers = 3, spec.positions = PositionScope::kNoRegisters;
  };
  const auto distilled = [](ModelSpec& spec) { spec.distillation = true; };
  const auto headless = [](ModelSpec& spec) { spec.classes = 0; };
  const auto pooled = [](ModelSpec& spec) { spec.classes = 0, spec.pre_logits = 6; };
  const auto partial = [](ModelSpec& spec) { spec.qkv_bias = QkvBias::kQueryValue; };
  const auto bare = [](ModelSpec& spec) { spec.qkv_bias = QkvBias::kNone; };
  const auto extra_token = [](ModelSpec& spec) { spec.registers = 1; };
  const auto clip = [](ModelSpec& spec) {
    spec.classes = 0, spec.projection = 4, spec.embedding_norm = true, spec.patch_bias = false;
  };
  const Case cases[] = {
      {"timm", [](ModelSpec&) {}},
      {"timm", scaled},
      {"timm", swiglu},
      {"timm", registers},
      {"timm", partial},
      {"timm", bare},
      {"timm", headless},
      {"timm", pooled},
      {"timm", clip},
      {"deit", distilled},
      {"deit3", scaled},
      {"deit3",
       [](ModelSpec& spec) { spec.layer_scale = true, spec.positions = PositionScope::kPatches; }},
      {"dinov2", scaled},
      {"dinov2", swiglu},
      {"dinov2", registers},
      {"huggingface", [](ModelSpec&) {}},
      {"huggingface", partial},
      {"huggingface", bare},
      {"huggingface", headless},
      {"huggingface", pooled},
      {"huggingface", distilled},
      {"huggingface", extra_token},
      {"huggingface", scaled},
      {"huggingface", swiglu},
      {"huggingface", registers},
      {"huggingface",
       [](ModelSpec& spec) {
         spec.layer_scale = true, spec.pooling = Pooling::kClassTokenAndMean;
       }},
      {"huggingface", clip},
      {"torchvision", [](ModelSpec&) {}},
      {"torchvision", headless},
      {"open_clip", clip}};
  int index = 0;
  for (const Case& each : cases) {
    INFO(each.to << ", case " << index++);
    ModelSpec spec = small();
    each.change(spec);
    const NamedTensors weights = numbered_weights(spec);
    const NamedTensors theirs = under_names_of(each.to, "", spec, weights);
    for (const char* prefix : {"", "module.", "_orig_mod.module.", "model.backbone."}) {
      const Found found = find_network(file_of(theirs, prefix));
      for (const std::string& problem : found.problems) FAIL_CHECK(problem);
      if (!found.problems.empty()) continue;
      ModelSpec expected = spec;
      expected.norm_eps = found.spec().norm_eps;  // no tensor tells these
      if (found.detected.spec.activation == HiddenActivation::kQuickGelu)
        expected.activation = HiddenActivation::kQuickGelu;
      CHECK(difference(found.spec(), expected).empty());
      REQUIRE(found.conversion.weights.size() == weights.size());
      for (std::size_t i = 0; i < weights.size(); ++i)
        CHECK_MESSAGE(test::same_bytes(found.conversion.weights[i].second, weights[i].second),
                      weights[i].first);
      const NamedTensors back =
          under_names_of("origin", found.conversion.names, found.spec(), found.conversion.weights);
      REQUIRE(back.size() == theirs.size());
      for (const auto& [name, tensor] : theirs) {
        const Tensor* same = test::tensor_in(back, name);
        CHECK_MESSAGE((same && test::same_bytes(*same, tensor)), name);
      }
    }
  }
}

TEST_CASE("a bias of k that is not zero any more is written whole") {
  ModelSpec spec = small();
  spec.qkv_bias = QkvBias::kQueryValue;
  NamedTensors weights = numbered_weights(spec);
  const NamedTensors dropped = under_names_of("timm", "", spec, weights);
  CHECK(test::tensor_in(dropped, "blocks.0.attn.q_bias"));
  CHECK_FALSE(test::tensor_in(dropped, "blocks.0.attn.qkv.bias"));
  for (auto& [name, tensor] : weights)
    if (name == "blocks.1.attn.qkv.bias") tensor.span<float>()[7] = 1;
  const NamedTensors whole = under_names_of("timm", "", spec, weights);
  CHECK(test::tensor_in(whole, "blocks.0.attn.q_bias"));
  CHECK(test::tensor_in(whole, "blocks.1.attn.qkv.bias"));
  CHECK_FALSE(test::tensor_in(whole, "blocks.1.attn.q_bias"));
}

TEST_CASE("names that cannot describe a network are not written") {
  ModelSpec spec = small();
  spec.layer_scale = true, spec.distillation = true;
  for (const char* to : {"torchvision", "huggingface", "open_clip"})
    CHECK_THROWS_WITH_AS(under_names_of(to, "", spec, numbered_weights(spec)),
                         doctest::Contains("has no names for all of this network"), Error);
  CHECK_THROWS_WITH_AS(under_names_of("origin", "", small(), numbered_weights(small())),
                       doctest::Contains("does not say which names"), Error);
}

TEST_CASE("a size of 0 is a problem, whatever is given") {
  NamedTensors tensors = numbered_weights(small());
  for (auto& [name, tensor] : tensors)
    if (name == "patch_embed.proj.weight") tensor = Tensor({6, 3, 0, 0});
  const Found found = find_network(file_of(tensors), {"heads=3", "image_size=[8,8]"});
  CHECK(found.says("patch_embed.proj.weight has shape (6, 3, 0, 0): expected dimensions of at"));
}

TEST_CASE("publishers' images: squashed by Hugging Face, in CLIP's colours by timm's CLIP") {
  ModelSpec spec = small();
  spec.image_size = Grid(224, 112);
  const auto images = [&](const ModelSpec& network, const char* to) {
    const NamedTensors theirs = under_names_of(to, "", network, numbered_weights(network));
    const Translation translation = translate(file_of(theirs), {}, nullptr, {});
    return preprocess_of(network, translation.dialect);
  };
  const Preprocess squashed = images(spec, "huggingface");
  CHECK(squashed.resize_mode == ResizeMode::kSquash);
  CHECK(squashed.resize == 112);
  CHECK(squashed.interpolation == Interpolation::kBilinear);
  CHECK(squashed.mean == std::vector{0.5F, 0.5F, 0.5F});
  spec.image_size = 8, spec.embedding_norm = true;
  CHECK(images(spec, "timm").mean[0] == 0.48145466F);
  CHECK(find_network(file_of(numbered_weights(spec))).spec().norm_eps == 1e-5);
}
