// Networks by timm's names, with tags and without.
#include "model/hub_names.h"

#include "model/network.h"
#include "tests/support/support.h"

using namespace shiftadd;

TEST_CASE("hub names: sizes, variants, classes and preprocessing") {
  const auto network = [](const char* name) {
    const auto found = hub_network(name);
    REQUIRE_MESSAGE(found, name);
    CHECK(found->spec.name == name);
    CHECK_NOTHROW(validate(found->spec));
    return *found;
  };
  const HubNetwork augreg = network("vit_base_patch16_224.augreg_in21k_ft_in1k");
  CHECK(count_parameters(augreg.spec) == 86567656);
  CHECK(augreg.preprocess.resize == 248);
  CHECK(augreg.preprocess.crop == 224);
  CHECK(augreg.preprocess.mean == std::vector{0.5F, 0.5F, 0.5F});
  CHECK(network("vit_small_patch32_384.augreg_in21k_ft_in1k").preprocess.resize == 384);
  CHECK(network("vit_large_patch16_224.augreg_in21k").spec.classes == 21843);
  CHECK(network("vit_small_patch16_224.dino").spec.classes == 0);
  const HubNetwork deit = network("deit_small_distilled_patch16_224.fb_in1k");
  CHECK(deit.spec.distillation);
  CHECK(deit.preprocess.resize == 248);
  CHECK(deit.preprocess.mean[0] == 0.485F);
  const HubNetwork deit3 = network("deit3_base_patch16_224.fb_in22k_ft_in1k");
  CHECK(deit3.spec.layer_scale);
  CHECK(deit3.spec.positions == PositionScope::kPatches);
  CHECK(deit3.preprocess.resize == 224);
  const HubNetwork dinov2 = network("vit_small_patch14_reg4_dinov2.lvd142m");
  CHECK(dinov2.spec.image_size == 518);
  CHECK(dinov2.spec.registers == 4);
  CHECK(dinov2.spec.classes == 0);
  CHECK(dinov2.preprocess.resize == 518);
  CHECK(network("vit_giant_patch14_dinov2.lvd142m").spec.activation == HiddenActivation::kSwiGlu);
  CHECK(named_spec("vit_base_patch16_384.augreg_in1k").image_size == 384);
}

TEST_CASE("hub names that are none, or of a tag that is not known") {
  for (const char* name :
       {"", "vit", "vit_base", "vit_base_patch16", "vit_base_patch_224", "vit_base_patch16_224x",
        "vit_base_patch16_225", "vit_basic_patch16_224", "deit_base_patch14_dinov2",
        "vit_base_patch16_224.x", "vit_base_patch16_reg4_224", "swin_base_patch4_224",
        "resnet50.a1_in1k"}) {
    const std::string text = name;
    CHECK_MESSAGE(!hub_network(text), text);
  }
}
