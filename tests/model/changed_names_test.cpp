// A tensor less, a tensor more, another name: an error, or the same numbers, never other ones.
#include <set>

#include "tests/model/foreign_support.h"

using namespace shiftadd;
using test::file_of;
using test::find_network;
using test::Found;
using test::numbered_weights;

namespace {

struct Publisher {
  const char* to;
  ModelSpec spec;
  NamedTensors tensors;
  std::set<std::string> may_go;  // by the list of docs/conversion.md, or for nothing uses it
};

std::vector<Publisher> publishers() {
  ModelSpec spec;
  spec.image_size = 8, spec.patch_size = 4, spec.width = 6, spec.depth = 2, spec.heads = 3;
  spec.mlp_hidden = 10, spec.classes = 5;
  ModelSpec distilled = spec, scaled = spec, dinov2 = spec, clip = spec, bare = spec;
  distilled.distillation = true;
  scaled.layer_scale = true, scaled.positions = PositionScope::kPatches;
  dinov2.layer_scale = true, dinov2.registers = 2, dinov2.classes = 0;
  dinov2.positions = PositionScope::kNoRegisters;
  clip.classes = 0, clip.projection = 4, clip.embedding_norm = true, clip.patch_bias = false;
  bare.classes = 0, bare.final_norm = false;
  std::vector<Publisher> all = {
      {"timm", spec, {}, {"patch_embed.proj.bias"}},
      {"timm", bare, {}, {"patch_embed.proj.bias"}},
      {"deit", distilled, {}, {"patch_embed.proj.bias"}},
      {"deit3", scaled, {}, {"patch_embed.proj.bias"}},
      {"dinov2", dinov2, {}, {"patch_embed.proj.bias", "register_tokens", "mask_token"}},
      {"huggingface", spec, {}, {}},
      {"huggingface", distilled, {}, {}},
      {"huggingface",
       dinov2,
       {},
       {"dinov2_with_registers.embeddings.patch_embeddings.projection.bias",
        "dinov2_with_registers.embeddings.register_tokens"}},
      {"torchvision", spec, {}, {}},
      {"open_clip", clip, {}, {"logit_scale"}}};
  for (Publisher& each : all) {
    each.tensors = under_names_of(each.to, "", each.spec, numbered_weights(each.spec));
    if (each.may_go.contains("mask_token")) each.tensors.emplace_back("mask_token", Tensor({1, 6}));
    if (each.may_go.contains("logit_scale"))
      each.tensors.emplace_back("logit_scale", Tensor(Shape{}));
  }
  return all;
}

// Everything else in the network is what it was.
void check_rest(const Found& found, const Publisher& publisher) {
  const NamedTensors before = numbered_weights(publisher.spec);
  for (const auto& [name, tensor] : found.conversion.weights) {
    const Tensor* same = test::tensor_in(before, name);
    CHECK_MESSAGE((same && test::same_bytes(*same, tensor)), name);
  }
}

}  // namespace

TEST_CASE("without one of its tensors a file is refused, but for those on the list") {
  for (const Publisher& publisher : publishers()) {
    REQUIRE(find_network(file_of(publisher.tensors)).problems.empty());
    for (const auto& [name, tensor] : publisher.tensors) {
      INFO(publisher.to << " without " << name);
      NamedTensors fewer = publisher.tensors;
      std::erase_if(fewer, [&](const auto& each) { return each.first == name; });
      const Found found = find_network(file_of(fewer));
      CHECK(found.problems.empty() == publisher.may_go.contains(name));
      if (found.problems.empty()) check_rest(found, publisher);
    }
  }
}

TEST_CASE("with a tensor more a file is refused, unless nothing ever uses it") {
  for (const Publisher& publisher : publishers()) {
    std::set<std::string> names = {"extra",
                                   "head.extra",
                                   "blocks.0.attn.rope.freqs",
                                   "norm_pre.weight",
                                   "fc_norm.bias",
                                   "blocks.1.ls1.gamma",
                                   "dist_token",
                                   "reg_token.x",
                                   "pre_logits.fc.weight",
                                   "classifier.weight",
                                   "head_dist.bias"};
    for (const auto& [name, tensor] : publisher.tensors)
      names.insert(name + "_2"), names.insert("x." + name);
    for (const std::string& name : names) {
      if (test::tensor_in(publisher.tensors, name)) continue;
      INFO(publisher.to << " with " << name);
      NamedTensors more = publisher.tensors;
      more.emplace_back(name, Tensor::full({1, 6}, 9));
      const Found found = find_network(file_of(more));
      const bool is_harmless =
          name.find("mask_token") != std::string::npos && name != "mask_token_2";
      CHECK(found.problems.empty() == is_harmless);
    }
    for (const char* name : {"mask_token.num_batches_tracked", "optimizer.state.x", "step"}) {
      NamedTensors more = publisher.tensors;
      more.emplace_back(name, Tensor::full({1, 6}, 9));
      const Found found = find_network(file_of(more));
      CHECK(found.problems.empty());
      if (found.problems.empty()) check_rest(found, publisher);
    }
  }
}

TEST_CASE("with a tensor under another name a file is refused, whatever the name") {
  for (const Publisher& publisher : publishers()) {
    std::vector<std::string> others = {"renamed", "head.scale", "mask_token"};
    for (const auto& [name, tensor] : publisher.tensors)
      if (others.size() < 80) others.push_back(name);
    for (const auto& [name, tensor] : publisher.tensors)
      for (const std::string& other : others) {
        if (name == other || (other != "mask_token" && publisher.may_go.contains(name))) continue;
        INFO(publisher.to << ": " << name << " as " << other);
        NamedTensors changed = publisher.tensors;
        std::erase_if(changed, [&](const auto& each) { return each.first == other; });
        for (auto& [each, value] : changed)
          if (each == name) each = other;
        const Found found = find_network(file_of(changed));
        // What may go may be called whatever is left out; two tensors of one shape may change
        // places.
        if (!found.problems.empty()) continue;
        CHECK(publisher.may_go.contains(name));
        check_rest(found, publisher);
      }
  }
}
