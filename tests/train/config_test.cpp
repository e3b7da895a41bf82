// The training config: defaults, every cross-check, shipped configs, schema, round trip.
#include "train/config.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/io/files.h"
#include "core/io/json_text.h"
#include "tests/support/support.h"

using namespace shiftadd;
using namespace shiftadd::train;

namespace {

const std::string kMinimal = R"({"data": {"train": "images"}})";

TrainConfig parse(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return parse_train_config(text, "c.json", overrides);
}

std::string message(const std::string& text, const std::vector<std::string>& overrides = {}) {
  try {
    parse(text, overrides);
  } catch (const Error& error) {
    CHECK(error.exit_code() == 2);
    return error.what();
  }
  return "read";
}

std::string config_path(const std::string& name) {
  return test::source_folder() + "/configs/" + name;
}

}  // namespace

TEST_CASE("train config: defaults resolve") {
  const TrainConfig c = parse(kMinimal);
  CHECK(c.name == "run");
  CHECK(c.out == "runs/run");
  CHECK(c.model.classes == 0);
  CHECK(c.model.width == 192);
  CHECK(c.data.train == "images");
  CHECK(c.data.val.empty());
  CHECK_FALSE(c.data.synthetic.has_value());
  CHECK(c.data.preprocess == Preprocess{});  // 256 and 224, bit for bit
  CHECK(c.train.optimizer.kind == OptimizerConfig::Kind::kAdamW);
  CHECK(c.train.optimizer.beta2 == 0.999);
  CHECK(c.train.schedule.kind == ScheduleConfig::Kind::kCosine);
  CHECK(parse(kMinimal, {"name=x"}).out == "runs/x");
  CHECK(parse(kMinimal, {"model.image_size=32", "model.patch_size=4"}).data.preprocess.resize ==
        37);
  CHECK(parse(kMinimal, {"model.image_size=32", "model.patch_size=4"}).data.preprocess.crop == 32);
}

TEST_CASE("train config: every value arrives") {
  const TrainConfig c = parse(R"({
    "name": "n", "out": "o", "seed": 18446744073709551, "threads": 3,
    "init": {"checkpoint": "w.safetensors", "adapt": true},
    "model": {"base": "deit_tiny_patch16_224", "name": "m", "image_size": 64, "patch_size": 8, "width": 60,
      "depth": 2, "heads": 5, "mlp_hidden": 77, "classes": 2, "norm_eps": 1e-5, "drop_path": 0.1,
      "dropout": 0.2, "checkpoint_blocks": true},
    "data": {"train": "t", "val": "v", "val_fraction": 0.3,
      "preprocess": {"resize": 70, "resize_mode": "squash", "interpolation": "bilinear", "mean": [0.1, 0.2, 0.3], "std": [1, 2, 3],
        "exif_orientation": true},
      "augment": {"crop": "padded", "scale_min": 0.2, "scale_max": 0.9, "ratio_min": 0.5, "ratio_max": 2,
        "padding": 3, "horizontal_flip": 0.25, "color_jitter": 0.4, "rand_augment": "rand-m9-mstd0.5-inc1",
        "random_erasing": 0.15},
      "mix": {"mixup_alpha": 0.8, "cutmix_alpha": 1, "probability": 0.7, "switch_probability": 0.6},
      "label_smoothing": 0.1, "class_weights": [1, 3], "repeated_augmentation": 3, "workers": 0,
      "prefetch": 2, "cache_mib": 5, "broken": "quarantine"},
    "train": {"epochs": 7, "batch": 9, "accumulate": 2, "max_steps": 100, "clip_norm": 1, "ema_decay": 0.99,
      "freeze": ["blocks.*", "norm.*"], "eval_every": 2,
      "optimizer": {"kind": "sgd", "lr": 0.1, "weight_decay": 0.2, "betas": [0.8, 0.9], "eps": 1e-6,
        "momentum": 0.5, "nesterov": true, "layer_decay": 0.75},
      "schedule": {"kind": "step", "warmup_epochs": 1.5, "warmup_lr": 1e-7, "min_lr": 1e-5,
        "step_epochs": 2.5, "step_factor": 0.3},
      "teacher": {"checkpoint": "k", "kind": "hard", "alpha": 0.5, "tau": 2, "features": 3},
      "early_stop": {"patience": 4, "min_delta": 0.25}},
    "checkpoint": {"every": 3, "keep": 2}, "log": {"every": 11, "tensorboard": false}})");
  CHECK(c.seed == 18446744073709551u);
  CHECK(c.threads == 3);
  CHECK(c.init.adapt);
  ModelSpec spec = named_spec("deit_tiny_patch16_224");
  spec.name = "m", spec.image_size = 64, spec.patch_size = 8, spec.width = 60, spec.depth = 2,
  spec.heads = 5;
  spec.mlp_hidden = 77, spec.classes = 2, spec.norm_eps = 1e-5;
  CHECK(c.model == spec);
  CHECK(c.regularisation.drop_path == 0.1);
  CHECK(c.regularisation.dropout == 0.2);
  CHECK(c.regularisation.checkpoint_blocks);
  Preprocess preprocess{.resize = 70,
                        .resize_mode = ResizeMode::kSquash,
                        .crop = 64,
                        .interpolation = Interpolation::kBilinear,
                        .mean = {0.1f, 0.2f, 0.3f},
                        .std = {1, 2, 3},
                        .exif_orientation = true};
  CHECK(c.data.preprocess == preprocess);
  CHECK(c.data.augment.crop == data::AugmentOptions::Crop::kPadded);
  CHECK(c.data.augment.padding == 3);
  CHECK(c.data.augment.random_erasing == 0.15);
  CHECK(c.data.mix.switch_probability == 0.6);
  CHECK(c.data.class_weights == std::vector<double>{1, 3});
  CHECK_FALSE(c.data.balanced_class_weights);
  CHECK(c.data.workers == 0);
  CHECK(c.data.broken == data::BrokenPolicy::kQuarantine);
  CHECK(c.train.freeze == std::vector<std::string>{"blocks.*", "norm.*"});
  CHECK(c.train.optimizer.kind == OptimizerConfig::Kind::kSgd);
  CHECK(c.train.optimizer.beta1 == 0.8);
  CHECK(c.train.optimizer.layer_decay == 0.75);
  CHECK(c.train.schedule.kind == ScheduleConfig::Kind::kStep);
  CHECK(c.train.schedule.step_epochs == 2.5);
  CHECK(c.train.teacher.kind == TeacherConfig::Kind::kHard);
  CHECK(c.train.teacher.features == 3);
  CHECK_FALSE(c.surgery.smooth_codes);
  CHECK(c.train.early_stop.min_delta == 0.25);
  CHECK(c.checkpoint.keep == 2);
  CHECK_FALSE(c.log.tensorboard);
  // and leaves again
  const std::string printed = to_text(c);
  CHECK(to_text(parse(printed)) == printed);
  const auto json = parse_json(printed);
  CHECK(json["data"]["preprocess"]["mean"] == nlohmann::json({0.1, 0.2, 0.3}));
  CHECK(json["train"]["optimizer"]["betas"] == nlohmann::json({0.8, 0.9}));
  CHECK(json["data"]["broken"] == "quarantine");
}

TEST_CASE("train config: errors name file, line and key") {
  CHECK(message("{\n\"train\": {\n\"optimizer\": {\"lr\": \"abc\"}}}") ==
        "c.json:3: train.optimizer.lr: expected a number > 0, got \"abc\"");
  CHECK(message("{\"train\": {\"epocs\": 3}}") ==
        "c.json:1: train.epocs: unknown key; did you mean 'epochs'?");
  CHECK(message("{\"lr\": 3}") == "c.json:1: lr: unknown key; did you mean 'train.optimizer.lr'?");
  CHECK(message(kMinimal, {"train.epoch=3"}) ==
        "--set train.epoch=3: train.epoch: unknown key; did you mean 'epochs'?");
  CHECK(message("{\"name\": \"a\",\n}") == "c.json:1:13: trailing comma before '}': remove it");
  CHECK(message("{}").find("c.json:1: data.train: expected a folder") == 0);
  CHECK(
      message(kMinimal, {"data.train="}).find("--set data.train=: data.train: expected a folder") ==
      0);
  CHECK(message(kMinimal, {"name="}) == "--set name=: name: expected a name, got \"\"");
}

TEST_CASE("train config: images that are no squares, and gray ones") {
  const std::vector<std::string> sizes = {"model.image_size=[16,32]", "model.patch_size=4"};
  TrainConfig c = parse(kMinimal, sizes);
  CHECK(c.data.preprocess.crop == Grid{16, 32});
  CHECK(c.data.preprocess.resize == 37);  // an image's shorter side holds the crop's longer one
  CHECK(to_text(parse_train_config(to_text(c), "c")) == to_text(c));
  std::vector<std::string> more = sizes;
  more.emplace_back("data.preprocess.resize_mode=squash");
  CHECK(parse(kMinimal, more).data.preprocess.resize == 18);
  more.back() = "data.preprocess.resize=15";
  CHECK(message(kMinimal, more).find("at least model.image_size, which is 16, got 15") !=
        std::string::npos);

  c = parse(kMinimal, {"model.in_channels=1"});
  CHECK(c.data.preprocess.mean == std::vector<float>{0.449F});
  CHECK(c.data.preprocess.std == std::vector<float>{0.226F});
  CHECK(to_text(parse_train_config(to_text(c), "c")) == to_text(c));
  c = parse(kMinimal, {"model.in_channels=1", "data.preprocess.mean=[0.5]"});
  CHECK(c.data.preprocess.mean == std::vector<float>{0.5F});
  CHECK(message(kMinimal, {"model.in_channels=1", "data.preprocess.std=[1,1,1]"}) ==
        "--set data.preprocess.std=[1,1,1]: data.preprocess.std: has 3 numbers, but the network "
        "takes gray images: expected 1");
  CHECK(message(kMinimal, {"data.preprocess.mean=[0.5]"})
            .find("data.preprocess.mean: has 1 numbers, but the network takes 3 channels: expected "
                  "as many") != std::string::npos);
  CHECK(message(kMinimal, {"model.in_channels=2"})
            .find("model.in_channels: expected 3, which RGB images have, or 1 for gray, got 2") !=
        std::string::npos);
}

TEST_CASE("train config: what does not fit together") {
  CHECK(message("{\"data\": {\"train\": \"t\"},\n\"model\": {\"width\": 100}}") ==
        "c.json:2: model.width: 100 is not divisible by heads 3");
  CHECK(
      message("{\n\"model\": {\n\"base\": \"deit_tniy_patch16_224\"}}")
          .find("c.json:3: model.base: unknown architecture 'deit_tniy_patch16_224'; did you mean "
                "'deit_tiny_patch16_224'?") == 0);
  CHECK(message(kMinimal, {"data.val_fraction=0"})
            .find("data.val_fraction: expected a number above 0") != std::string::npos);
  CHECK(message(kMinimal, {"data.preprocess.resize=100"})
            .find("data.preprocess.resize: expected 0 or at least model.image_size, which is 224, "
                  "got 100") != std::string::npos);
  CHECK(message(kMinimal, {"model.classes=3", "data.class_weights=[1,2]"})
            .find("data.class_weights: expected 3 numbers (model.classes), got 2") !=
        std::string::npos);
  CHECK(message(kMinimal, {"data.class_weights=[0,0]"}).find("at least one number above 0") !=
        std::string::npos);
  CHECK(message(kMinimal, {"data.augment.scale_min=0.9", "data.augment.scale_max=0.5"}) ==
        "--set data.augment.scale_min=0.9: data.augment.scale_min: expected at most scale_max, "
        "which is 0.5, "
        "got 0.9");
  CHECK(message(kMinimal, {"data.augment.ratio_min=2"})
            .find("data.augment.ratio_min: expected at most") != std::string::npos);
  CHECK(message(kMinimal, {"data.augment.rand_augment=rend-m9"})
            .find("--set data.augment.rand_augment=rend-m9: data.augment.rand_augment: ") == 0);
}

TEST_CASE("train config: synthetic data fills in train and val") {
  const TrainConfig c =
      parse(R"({"data": {"synthetic": {"folder": "s", "size": 48, "jpeg": true}}})");
  REQUIRE(c.data.synthetic.has_value());
  CHECK(c.data.train == "s/train");
  CHECK(c.data.val == "s/val");
  CHECK(c.data.synthetic->options.size == 48);
  CHECK(c.data.synthetic->options.jpeg);
  const std::string printed = to_text(c);
  CHECK(to_text(parse(printed)) == printed);
  CHECK(message(R"({"data": {"synthetic": {}}})")
            .find("data.synthetic.folder: expected the folder") != std::string::npos);
  CHECK(message(R"({"data": {"train": "x", "synthetic": {"folder": "s"}}})").find("leave it out") !=
        std::string::npos);
  CHECK_FALSE(parse(R"({"data": {"synthetic": null, "train": "t"}})").data.synthetic.has_value());
}

TEST_CASE("train config: a network from a spec file") {
  test::TemporaryFolder folder;
  test::write_text(folder / "net.json", R"({"base": "vit_cifar", "depth": 3, "classes": 17})");
  const TrainConfig c = parse(kMinimal, {"model.base=" + (folder / "net.json"), "model.heads=2"});
  CHECK(c.model.depth == 3);
  CHECK(c.model.width == 128);
  CHECK(c.model.heads == 2);
  CHECK(c.model.classes == 0);  // the data decides unless the config says
  CHECK(c.data.preprocess.crop == 32);
}

TEST_CASE("train config: class weights") {
  CHECK(parse(kMinimal, {"data.class_weights=balanced"}).data.balanced_class_weights);
  const TrainConfig c = parse(kMinimal, {"data.class_weights=[0.5, 2]"});
  CHECK(c.data.class_weights == std::vector<double>{0.5, 2});
  CHECK(to_text(c).find("\"class_weights\": [0.5, 2]") != std::string::npos);
  CHECK(to_text(parse(kMinimal)).find("\"class_weights\": \"none\"") != std::string::npos);
}

TEST_CASE("train config: the committed schema is the generated one") {
  const bool same = read_text(config_path("train.schema.json")) == train_schema();
  CHECK_MESSAGE(same, "write it anew: shiftadd-train --print-schema > configs/train.schema.json");
}

TEST_CASE("train config: help names every option") {
  const std::string help = train_config_help();
  for (const char* path :
       {"train.optimizer.betas = [0.9, 0.999]", "data.synthetic.folder", "log.tensorboard"})
    CHECK(help.find(path) != std::string::npos);
}

TEST_CASE("train config: every shipped config loads and prints back to itself") {
  int count = 0;
  for (const char* folder : {"/configs", "/configs/cifar10_shiftadd"})
    for (const auto& entry : std::filesystem::directory_iterator(test::source_folder() + folder)) {
      const std::string path = entry.path().string();
      if (!path.ends_with(".json") || path.ends_with("schema.json")) continue;
      CAPTURE(path);
      const TrainConfig c = load_train_config(path);
      CHECK(c.name == entry.path().stem().string());
      CHECK(c.notices.empty());
      const std::string printed = to_text(c);
      CHECK(to_text(parse(printed)) == printed);
      ++count;
    }
  CHECK(count >= 13);
  // Every conversion that is shipped as a start makes what the recipe makes.
  for (const char* name :
       {"finetune_shiftadd.json", "imagenet_deit_tiny_shiftadd.json", "quickstart_shiftadd.json"}) {
    const TrainConfig c = load_train_config(config_path(name));
    REQUIRE(c.stages.size() == 2);
    CHECK(c.stages[0].surgery.recipe == std::vector<std::string>{"all: attention=softmax_add"});
    CHECK(c.stages[1].surgery.options.codes == Codes::kBipolar2);
    CHECK(c.stages[1].router.latency == std::vector<double>{10, 3});
  }
  for (const auto& entry :
       std::filesystem::directory_iterator(test::source_folder() + "/configs/models"))
    CHECK(load_spec(entry.path().string()).name == entry.path().stem().string());
  const TrainConfig tuned = load_train_config(config_path("cifar10_finetune_visiontriad.json"));
  CHECK(tuned.model == load_spec(config_path("models/vit_cifar_visiontriad.json")));
  CHECK(tuned.train.clip_norm == 1);  // from cifar10_vit.json
  const TrainConfig scratch = load_train_config(config_path("cifar10_vit.json"));
  CHECK(scratch.model == load_spec(config_path("models/vit_cifar.json")));
  CHECK(scratch.model == named_spec("vit_cifar"));
  CHECK(count_parameters(scratch.model) <= 3000000);
}

TEST_CASE("name patterns") {
  CHECK(matches_pattern("*", ""));
  CHECK(matches_pattern("*", "head.weight"));
  CHECK(matches_pattern("head.weight", "head.weight"));
  CHECK_FALSE(matches_pattern("head", "head.weight"));
  CHECK_FALSE(matches_pattern("weight", "head.weight"));
  CHECK(matches_pattern("*.weight", "head.weight"));
  CHECK(matches_pattern("blocks.*.attn.*", "blocks.11.attn.qkv.weight"));
  CHECK_FALSE(matches_pattern("blocks.*.attn.*", "blocks.11.mlp.fc1.weight"));
  CHECK(matches_pattern("a*b*c", "aXbXbc"));
  CHECK_FALSE(matches_pattern("a*b*c", "aXbXb"));
  CHECK_FALSE(matches_pattern("", "a"));
  CHECK(matches_pattern("", ""));
  CHECK(matches_pattern("a**", "a"));
}
