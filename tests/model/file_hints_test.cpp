// What configuration files beside a checkpoint say, publisher by publisher, and what is refused.
#include "model/file_hints.h"

#include "tests/support/support.h"

using namespace shiftadd;
using test::contains, test::TemporaryFolder, test::write_text;

namespace {

// Files by name, beside a checkpoint that nobody opens.
struct Folder {
  explicit Folder(const std::map<std::string, std::string>& files,
                  const std::string& checkpoint = "model.safetensors")
      : checkpoint(folder / checkpoint) {
    for (const auto& [name, text] : files) write_text(folder / name, text);
  }
  FileHints hints() const { return hints_beside(checkpoint); }
  std::string error() const {
    try {
      hints();
    } catch (const Error& error) {
      CHECK(error.kind() == Error::Kind::kUser);
      return error.what();
    }
    return "read";
  }
  TemporaryFolder folder;
  std::string checkpoint;
};

FileHints config(const std::string& text) { return Folder({{"config.json", text}}).hints(); }
std::string config_error(const std::string& text) {
  return Folder({{"config.json", text}}).error();
}
FileHints images(const std::string& text) {
  return Folder({{"preprocessor_config.json", text}}).hints();
}
std::string images_error(const std::string& text) {
  return Folder({{"preprocessor_config.json", text}}).error();
}

constexpr const char* kColours =
    R"("image_mean": [0.5, 0.25, 0.125], "image_std": [0.5, 0.5, 1], "rescale_factor": 0.00392156862745098)";

}  // namespace

TEST_CASE("hints: nothing lies beside the checkpoint") {
  const FileHints hints = Folder({}).hints();
  CHECK(hints.sources.empty());
  CHECK_FALSE(hints.heads);
  CHECK_FALSE(hints.preprocess);
  CHECK(hints_beside("no/such/folder/model.pth").sources.empty());
}

TEST_CASE("hints: Hugging Face's config.json") {
  const FileHints hints = config(R"({
    "architectures": ["ViTForImageClassification"], "model_type": "vit", "hidden_act": "gelu",
    "num_attention_heads": 3, "image_size": [32, 32], "patch_size": 8, "num_channels": 1,
    "layer_norm_eps": 1e-12, "qkv_bias": false, "hidden_dropout_prob": 0.0, "problem_type": null,
    "id2label": {"1": "dog", "0": "cat", "2": "tree"}})");
  CHECK(hints.architecture == "ViTForImageClassification");
  CHECK(hints.model_type == "vit");
  CHECK(hints.heads == 3);
  CHECK(hints.image_size == Grid(32));
  CHECK(hints.patch_size == 8);
  CHECK(hints.channels == 1);
  CHECK(hints.norm_eps == 1e-12);
  CHECK(hints.qkv_bias == false);
  CHECK(hints.activation == HiddenActivation::kGelu);
  CHECK(hints.classes == std::vector<std::string>{"cat", "dog", "tree"});
  REQUIRE(hints.sources.size() == 1);
  CHECK(hints.sources[0].ends_with("/config.json"));
  CHECK(hints.notes.empty());
  CHECK(hints.unsupported.empty());
}

TEST_CASE("hints: names of activations") {
  const auto of = [](const std::string& name) {
    return config(R"({"hidden_act": ")" + name + "\"}").activation;
  };
  CHECK(of("gelu_new") == HiddenActivation::kGeluTanh);
  CHECK(of("gelu_pytorch_tanh") == HiddenActivation::kGeluTanh);
  CHECK(of("quick_gelu") == HiddenActivation::kQuickGelu);
  CHECK(of("relu") == HiddenActivation::kRelu);
  CHECK(config(R"({"hidden_act": "gelu", "use_swiglu_ffn": true})").activation ==
        HiddenActivation::kSwiGlu);
  const FileHints selu = config(R"({"model_type": "vit", "hidden_act": "selu"})");
  CHECK_FALSE(selu.activation);
  REQUIRE(selu.unsupported.size() == 1);
  CHECK(contains(selu.unsupported[0], "config.json:1: hidden_act: \"selu\" is no activation"));
}

TEST_CASE("hints: labels without names, and with holes") {
  CHECK(config(R"({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}})").classes.empty());
  CHECK(contains(config_error(R"({"id2label": {"0": "a", "2": "b"}})"),
                 "id2label: expected a name for each of 0 to 1, has none for 1"));
  CHECK(contains(config_error("{\"id2label\":\n {\"0\": 7}}"),
                 "config.json:2: id2label.0: expected a string, got 7"));
}

TEST_CASE("hints: the image network of a file for image and text") {
  const FileHints own = config(R"({"model_type": "clip", "text_config": {"num_attention_heads": 8},
      "vision_config": {"patch_size": 16, "hidden_act": "gelu"}})");
  CHECK(own.heads == 12);
  CHECK(own.patch_size == 16);
  CHECK(own.activation == HiddenActivation::kGelu);
  CHECK(own.norm_eps == 1e-5);
  const FileHints plain = config(R"({"model_type": "clip", "vision_config": {}})");
  CHECK(plain.activation == HiddenActivation::kQuickGelu);
}

TEST_CASE("hints: Hugging Face's images") {
  const auto with = [](const std::string& keys) {
    return images("{" + keys + ", " + kColours + ", \"resample\": 3}");
  };
  const FileHints dino = with(
      R"("image_processor_type": "BitImageProcessor", "do_center_crop": true,
         "crop_size": {"height": 224, "width": 224}, "size": {"shortest_edge": 256})");
  CHECK(dino.preprocess == Preprocess{.resize = 256,
                                      .crop = 224,
                                      .interpolation = Interpolation::kBicubic,
                                      .mean = {0.5f, 0.25f, 0.125f},
                                      .std = {0.5f, 0.5f, 1.0f}});
  CHECK(dino.notes.empty());
  const FileHints clip = with(
      R"("feature_extractor_type": "CLIPFeatureExtractor", "do_center_crop": true,
         "crop_size": 32, "size": 32)");
  REQUIRE(clip.preprocess);
  CHECK(clip.preprocess->resize == 32);
  CHECK(clip.notes.empty());
  const FileHints unresized =
      with(R"("do_resize": false, "do_center_crop": true, "crop_size": 48)");
  REQUIRE(unresized.preprocess);
  CHECK(unresized.preprocess->resize == 0);
  CHECK(unresized.preprocess->crop == 48);
}

TEST_CASE("hints: two sides, and a number that is no shorter side, are a squash") {
  const auto with = [](const std::string& size) {
    const FileHints hints = images("{" + size + ", \"resample\": 2, " + kColours + "}");
    CHECK(hints.notes.empty());
    REQUIRE(hints.preprocess);
    CHECK(hints.preprocess->resize_mode == ResizeMode::kSquash);
    CHECK(hints.preprocess->interpolation == Interpolation::kBilinear);
    return *hints.preprocess;
  };
  for (const char* size : {R"("size": {"height": 224, "width": 224})", R"("size": 224)"}) {
    CHECK(with(size).resize == 224);
    CHECK(with(size).crop == Grid(224));
  }
  const Preprocess wide = with(R"("size": {"height": 32, "width": 48})");
  CHECK(wide.resize == 32);
  CHECK(wide.crop == Grid(32, 48));
  const Preprocess deit = with(R"("size": {"height": 256, "width": 256}, "do_center_crop": true,
                                  "crop_size": 224)");
  CHECK(deit.resize == 256);
  CHECK(deit.crop == Grid(224));
}

TEST_CASE("hints: any scale of colours becomes 0 to 1") {
  const std::string size =
      R"({"do_center_crop": true, "crop_size": 8, "size": {"shortest_edge": 8}, "resample": 3, )";
  const auto raw = images(size + R"("do_rescale": false, "image_mean": [127.5, 127.5, 51],
                                    "image_std": [255, 51, 127.5]})");
  REQUIRE(raw.preprocess);
  CHECK(raw.preprocess->mean == std::vector{0.5f, 0.5f, 0.2f});
  CHECK(raw.preprocess->std == std::vector{1.0f, 0.2f, 0.5f});
  const auto signed_scale = images(size + R"("rescale_factor": 0.00784313725490196,
      "image_mean": [1, 1, 1], "image_std": [1, 1, 1]})");
  REQUIRE(signed_scale.preprocess);
  CHECK(signed_scale.preprocess->mean == std::vector{0.5f, 0.5f, 0.5f});
  CHECK(signed_scale.preprocess->std == std::vector{0.5f, 0.5f, 0.5f});
  const auto gray = images(size + R"("image_mean": [0.5], "image_std": [0.25]})");
  REQUIRE(gray.preprocess);
  CHECK(gray.preprocess->channels() == 1);
  CHECK(gray.preprocess->std == std::vector{0.25f});
  const auto plain = images(size + R"("do_normalize": false})");
  REQUIRE(plain.preprocess);
  CHECK(plain.preprocess->mean == std::vector{0.0f, 0.0f, 0.0f});
  CHECK(plain.preprocess->std == std::vector{1.0f, 1.0f, 1.0f});
}

TEST_CASE("hints: what cannot be followed is a note, and no preprocessing") {
  const struct {
    const char *text, *note;
  } cases[] = {
      {R"("size": 32, "resample": 0)", "resample: 0 is no filter here"},
      {R"("size": 32)", "resample: nothing is no filter here"},
      {R"("size": {"shortest_edge": 32}, "resample": 3)", "size: an object keeps an image's shape"},
      {R"("size": {"height": 32, "width": 16}, "resample": 3, "do_center_crop": true,
           "crop_size": 16)",
       "has another shape than the crop"},
      {R"("size": {"max_height": 32}, "resample": 3)", "is neither height and width nor a"},
      {R"("resample": 3)", "size: nothing is neither height and width nor a"},
      {R"("do_resize": false, "resample": 3)", "do_resize: false leaves images as large"},
      {R"("size": 32, "resample": 3, "crop_pct": 0.9)", "crop_pct: 0.9 is no way to crop here"},
      {R"("size": 32, "resample": 3, "do_flip_channel_order": true)", "swaps red and blue"}};
  for (const auto& [text, note] : cases) {
    CAPTURE(text);
    const FileHints hints = images(std::string("{") + text + ", " + kColours + "}");
    CHECK_FALSE(hints.preprocess);
    REQUIRE_FALSE(hints.notes.empty());
    CHECK(contains(hints.notes.back(), note));
    CHECK(contains(hints.notes.back(), "preprocessor_config.json:1: "));
  }
  CHECK_FALSE(images(R"({"size": 32, "resample": 3, "image_mean": [0, 0, 0]})").preprocess);
}

TEST_CASE("hints: timm's config.json, new and old") {
  const FileHints hints = config(R"({"architecture": "vit_base_patch16_224", "num_classes": 1000,
      "global_pool": "avg", "model_args": {"act_layer": "quick_gelu", "num_heads": 6},
      "pretrained_cfg": {"tag": "augreg_in1k", "input_size": [3, 384, 384], "crop_pct": 0.9,
        "interpolation": "bilinear", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.25],
        "crop_mode": "center"}, "label_names": ["tench", "shark"]})");
  CHECK(hints.architecture == "vit_base_patch16_224.augreg_in1k");
  CHECK(hints.class_count == 1000);
  CHECK(hints.pooling == Pooling::kMean);
  CHECK(hints.activation == HiddenActivation::kQuickGelu);
  CHECK(hints.heads == 6);
  CHECK(hints.image_size == Grid(384));
  CHECK(hints.channels == 3);
  CHECK(hints.classes == std::vector<std::string>{"tench", "shark"});
  CHECK(hints.preprocess == Preprocess{.resize = 426,  // floor(384 / 0.9)
                                       .crop = 384,
                                       .interpolation = Interpolation::kBilinear,
                                       .mean = {0.5f, 0.5f, 0.5f},
                                       .std = {0.5f, 0.5f, 0.25f}});
  const FileHints old = config(R"({"architecture": "vit_tiny_patch16_224", "num_classes": 0,
      "input_size": [3, 224, 224], "crop_pct": 1.0, "crop_mode": "squash", "global_pool": "map"})");
  CHECK(old.architecture == "vit_tiny_patch16_224");
  CHECK(old.class_count == 0);
  REQUIRE(old.preprocess);
  CHECK(old.preprocess->resize == 224);
  CHECK(old.preprocess->mean == std::vector{0.485f, 0.456f, 0.406f});
  CHECK(old.preprocess->resize_mode == ResizeMode::kSquash);
  CHECK(old.notes.empty());
  REQUIRE(old.unsupported.size() == 1);
  CHECK(contains(old.unsupported[0], "global_pool: \"map\" is no pooling"));
  CHECK(contains(config(R"({"architecture": "x", "crop_mode": "border", "input_size": [3, 8, 8]})")
                     .notes.at(0),
                 "crop_mode: \"border\" is no way to crop here"));
  CHECK(contains(config(R"({"architecture": "x", "input_size": [3, 8, 16]})").notes.at(0),
                 "input_size: a list of 3 is no square"));
}

TEST_CASE("hints: open_clip_config.json") {
  const auto read = [](const std::string& text) {
    return Folder({{"open_clip_config.json", text}}, "open_clip_model.safetensors").hints();
  };
  const FileHints hints = read(R"({"model_cfg": {"embed_dim": 512, "quick_gelu": true,
      "vision_cfg": {"image_size": 224, "layers": 12, "width": 1024, "patch_size": 14}},
      "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}})");
  CHECK(hints.heads == 16);
  CHECK(hints.patch_size == 14);
  CHECK(hints.activation == HiddenActivation::kQuickGelu);
  CHECK(hints.pooling == Pooling::kClassToken);
  CHECK(hints.preprocess == Preprocess{.resize = 224,
                                       .crop = 224,
                                       .interpolation = Interpolation::kBicubic,
                                       .mean = {0.5f, 0.5f, 0.5f},
                                       .std = {0.25f, 0.25f, 0.25f}});
  const FileHints other = read(R"({"model_cfg": {"vision_cfg": {"width": 96, "head_width": 32,
      "image_size": 32, "pool_type": "avg", "norm_kwargs": {"eps": 1e-6}}},
      "preprocess_cfg": {"resize_mode": "longest"}})");
  CHECK(other.heads == 3);
  CHECK(other.activation == HiddenActivation::kGelu);
  CHECK(other.pooling == Pooling::kMean);
  CHECK(other.norm_eps == 1e-6);
  CHECK_FALSE(other.preprocess);
  CHECK(contains(other.notes.at(0), "preprocess_cfg.resize_mode: \"longest\" is no way to resize"));
  CHECK(read(R"({"model_cfg": {"vision_cfg": {"timm_model_name": "vit_b"}}})").architecture ==
        "vit_b");
}

TEST_CASE("hints: two files must agree; of two that say how images are prepared the first counts") {
  const std::string clip =
      R"({"model_cfg": {"quick_gelu": true, "vision_cfg": {"width": 128, "image_size": 32}},
          "preprocess_cfg": {"mean": [0.5, 0.5, 0.5]}})";
  const std::string timm = R"({"architecture": "x", "input_size": [3, 32, 32], "crop_pct": 0.5})";
  const auto both = [&](const std::string& checkpoint) {
    return Folder({{"config.json", timm}, {"open_clip_config.json", clip}}, checkpoint).hints();
  };
  CHECK(both("model.safetensors").preprocess->resize == 64);
  CHECK(both("open_clip_model.safetensors").preprocess->resize == 32);
  CHECK(both("model.safetensors").heads == 2);
  CHECK(both("model.safetensors").sources.size() == 2);
  const std::string error =
      Folder({{"config.json", R"({"num_attention_heads": 4})"}, {"open_clip_config.json", clip}})
          .error();
  CHECK(contains(error, "open_clip_config.json: says heads 2, "));
  CHECK(contains(error, "/config.json says 4: remove the file"));
}

TEST_CASE("hints: malformed files and values of a wrong type name file, line and key") {
  CHECK(contains(config_error("{\"hidden_act\": \"gelu\",}"), "config.json:1:"));
  CHECK(contains(config_error("[]"), "config.json:1: expected an object, got an empty list"));
  CHECK(contains(config_error("{\n\"num_attention_heads\": \"3\"}"),
                 "config.json:2: num_attention_heads: expected a whole number, got \"3\""));
  CHECK(contains(config_error(R"({"num_attention_heads": 2.5})"),
                 "num_attention_heads: expected a whole number from 1, got 2.5"));
  CHECK(contains(config_error(R"({"layer_norm_eps": true})"), "layer_norm_eps: expected a number"));
  CHECK(contains(config_error(R"({"image_size": [32, "x"]})"),
                 "image_size: expected a number of pixels, or a list of two"));
  CHECK(contains(config_error(R"({"architectures": "x"})"),
                 "architectures: expected a list of names"));
  CHECK(contains(images_error(R"({"do_resize": 1})"), "do_resize: expected true or false, got 1"));
  CHECK(
      contains(images_error(R"({"size": 32, "resample": 3, "image_mean": 0.5, "image_std": 1})"),
               "image_mean: expected a list of three numbers, or of one for gray images, got 0.5"));
  CHECK(contains(
      images_error(R"({"size": 32, "resample": 3, "image_mean": [0, 0, 0],
                                  "image_std": [1, 0, 1]})"),
      "image_std: expected a list of three numbers, or of one for gray images, above 0, got 0"));
  CHECK(contains(images_error(R"({"size": 100000, "resample": 3})"),
                 "size: expected at most 16384 pixels"));
  CHECK(contains(images_error(R"({"size": 32, "resample": 3, "image_mean": [0.5],
                                  "image_std": [1, 1, 1]})"),
                 "image_std: expected as many numbers as image_mean has, 1"));
  CHECK(contains(config_error("version https://git-lfs.github.com/spec/v1\noid x\nsize 9\n"),
                 "is a Git LFS pointer"));
  CHECK(contains(config_error(R"({"architecture": "x", "input_size": [3, 8, 8], "crop_pct": 2})"),
                 "crop_pct: expected the share of an image"));
}
