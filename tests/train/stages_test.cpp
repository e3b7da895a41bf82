// Stages in a configuration, and routers that have collapsed.
#include <doctest/doctest.h>

#include "core/error.h"
#include "tests/train/tiny_spec.h"
#include "train/config.h"
#include "train/evaluation.h"

using namespace shiftadd;
using namespace shiftadd::train;

namespace {

const char* const kConfig = R"({
  "name": "both", "out": "runs/both", "seed": 7,
  "init": {"checkpoint": "dense.safetensors", "adapt": true},
  "data": {"train": "images"},
  "model": {"image_size": 8, "patch_size": 4},
  "train": {"epochs": 9, "optimizer": {"lr": 0.25, "weight_decay": 0.5}},
  "stages": [
    {"name": "add", "surgery": {"recipe": ["all: attention=linear_add"]}},
    {"train": {"epochs": 2, "optimizer": {"lr": 0.125}, "teacher": {"kind": "none"}}},
    {"init": {"checkpoint": "other.safetensors"}, "seed": 3,
     "train": {"teacher": {"checkpoint": "teacher.safetensors"}}}
  ]
})";

TrainConfig parsed(const std::vector<std::string>& overrides = {}) {
  return parse_train_config(kConfig, "both.json", overrides);
}

}  // namespace

TEST_CASE("a stage is the rest of the configuration with its own object over it") {
  const TrainConfig config = parsed();
  REQUIRE(config.stages.size() == 3);
  const TrainConfig &first = config.stages[0], &second = config.stages[1],
                    &third = config.stages[2];
  CHECK(first.name == "add");
  CHECK(first.out == "runs/both/add");
  CHECK(first.init.checkpoint == "dense.safetensors");
  CHECK(first.init.adapt);
  CHECK(first.train.epochs == 9);
  CHECK(first.surgery.recipe.size() == 1);
  CHECK(first.train.teacher.checkpoint == "dense.safetensors");
  CHECK(first.seed == 7);

  CHECK(second.name == "stage2");
  CHECK(second.init.checkpoint == "runs/both/add/model.safetensors");
  CHECK_FALSE(second.init.adapt);
  CHECK(second.train.epochs == 2);
  CHECK(second.train.optimizer.lr == 0.125);
  CHECK(second.train.optimizer.weight_decay == 0.5);
  CHECK(second.surgery.recipe.empty());
  CHECK(second.train.teacher.kind == TeacherConfig::Kind::kNone);

  CHECK(third.init.checkpoint == "other.safetensors");
  CHECK(third.train.teacher.checkpoint == "teacher.safetensors");
  CHECK(third.seed == 3);
}

TEST_CASE("overrides reach all stages that do not say otherwise") {
  const TrainConfig config = parsed({"out=\"elsewhere\"", "train.epochs=4", "threads=2"});
  CHECK(config.stages[0].out == "elsewhere/add");
  CHECK(config.stages[0].train.epochs == 4);
  CHECK(config.stages[1].train.epochs == 2);
  CHECK(config.stages[1].init.checkpoint == "elsewhere/add/model.safetensors");
  CHECK(config.stages[2].threads == 2);
}

TEST_CASE("a configuration with stages is printed whole and reads back") {
  const std::string text = to_text(parsed());
  const TrainConfig again = parse_train_config(text, "printed.json");
  CHECK(to_text(again) == text);
  CHECK(again.stages[1].train.optimizer.lr == 0.125);
}

TEST_CASE("a router that sends every token to one expert is named") {
  ModelSpec spec = test::tiny_spec();
  spec.shift_add.blocks.resize(2);
  spec.shift_add.blocks[0].mlp = spec.shift_add.blocks[1].mlp = LayerKind::kMixture;
  CHECK(collapsed_routers(spec, {0.5, 0.02}).empty());
  const auto lines = collapsed_routers(spec, {1.0, 0.004});
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].find("blocks.0.mlp has collapsed: 100.0 % of the tokens go to Shift") !=
        std::string::npos);
  CHECK(lines[1].find("blocks.1.mlp has collapsed: 99.6 % of the tokens go to Mult") !=
        std::string::npos);
}
