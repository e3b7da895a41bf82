// What would make another network without a word: parts under a harmless name, positions cut short,
// names of another publisher, names that mean something else when they are read again.
#include "tests/model/foreign_support.h"

using namespace shiftadd;
using test::Found;

namespace {

ModelSpec small() {
  ModelSpec spec;
  spec.image_size = 8, spec.patch_size = 4, spec.width = 6, spec.depth = 2, spec.heads = 3;
  spec.mlp_hidden = 10, spec.classes = 5;
  return spec;
}

NamedTensors published(const std::string& to, const ModelSpec& spec) {
  return under_names_of(to, "", spec, test::numbered_weights(spec));
}

}  // namespace

TEST_CASE("a part that lies under a harmless name alone is not left out without a word") {
  for (const char* harmless : {"ema.", "decoder_", "optim."})
    for (const char* part : {"norm.", "head.", "patch_embed.proj.bias"}) {
      CAPTURE(harmless);
      CAPTURE(part);
      NamedTensors tensors = published("timm", small()), both = tensors;
      for (auto& [name, tensor] : tensors)
        if (name.starts_with(part)) {
          both.emplace_back(harmless + name, tensor);
          name = harmless + name;
        }
      CHECK(test::find_network(test::file_of(tensors)).says("but the file has no other "));
      CHECK(test::find_network(test::file_of(both)).problems.empty());
    }
}

TEST_CASE("positions that a publisher's networks never have are refused") {
  ModelSpec distilled = small();
  distilled.distillation = true;
  const std::pair<const char*, ModelSpec> cases[] = {{"huggingface", small()},
                                                     {"torchvision", small()},
                                                     {"deit", distilled},
                                                     {"huggingface", distilled}};
  for (const auto& [to, spec] : cases) {
    CAPTURE(to);
    NamedTensors tensors = published(to, spec);
    for (const char* end : {"pos_embed", "position_embeddings", "pos_embedding"})
      for (auto& [name, tensor] : tensors)
        if (name.ends_with(end))
          tensor = tensor.reshape({tensor.dim(1), tensor.dim(2)})
                       .slice(spec.prefix(), tensor.dim(1))
                       .clone()
                       .reshape({1, 4, 6});
    CHECK(test::find_network(test::file_of(tensors)).says("pos_embed has 4 positions"));
  }
}

TEST_CASE("a tensor of timm's name is left over among another publisher's") {
  for (const char* to : {"huggingface", "torchvision"})
    for (const char* name :
         {"fc_norm.weight", "norm_pre.bias", "reg_token", "blocks.0.ls1.gamma"}) {
      CAPTURE(to);
      CAPTURE(name);
      NamedTensors tensors = published(to, small());
      tensors.emplace_back(name, Tensor::zeros({6}));
      CHECK(test::find_network(test::file_of(tensors)).says(std::string(name) + "(6,) is left"));
    }
}

TEST_CASE("names are not written that would be read as another network") {
  ModelSpec spec = small();
  spec.pre_logits = 6;  // beside a classifier nobody reads Hugging Face's pooler
  CHECK_THROWS_WITH_AS(published("huggingface", spec),
                       doctest::Contains("would be read as another: pre_logits 0 instead of 6"),
                       Error);
  spec = small();
  spec.qkv_bias = QkvBias::kNone;
  CHECK_THROWS_WITH_AS(published("torchvision", spec), doctest::Contains("--to torchvision"),
                       Error);
}

TEST_CASE("a prefix may be the beginning of the one that the network lies under") {
  const NamedTensors tensors = published("timm", small());
  WeightsFile file = test::file_of(tensors, "teacher.backbone.");
  for (const auto& [name, tensor] : tensors)
    file.tensors.emplace_back("student.backbone." + name, tensor.clone());
  CHECK(test::find_network(file).says("choose one with"));
  const Found found = test::find_network(file, {"heads=3"}, {.prefix = "teacher.", .ignore = {}});
  CHECK(found.problems.empty());
  CHECK(found.conversion.prefix == "teacher.backbone.");
}
