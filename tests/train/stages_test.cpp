// Stages in a configuration, and routers that have collapsed.
#include <doctest/doctest.h>

#include "core/error.h"
#include "tests/support/support.h"
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

TEST_CASE("an option that holds for some stages alone says so; its way to the others is named") {
  CHECK(parsed().notices.empty());
  CHECK(parsed({"train.optimizer.weight_decay=0.1", "surgery.transfer.steps=5"}).notices.empty());
  const TrainConfig config = parsed({"train.epochs=4", "stages.add.train.epochs=5"});
  CHECK(config.stages[0].train.epochs == 5);
  CHECK(config.stages[2].train.epochs == 4);
  REQUIRE(config.notices.size() == 1);  // add was given its own on the command line
  CHECK(config.notices[0] ==
        "--set train.epochs=4 holds for stage3 alone, because other stages set train.epochs "
        "themselves: stage2 (2, both.json:9). Write it into that stage's object, or give the stage "
        "a name");
  CHECK(parsed({"train.epochs=2"}).notices.empty());  // the value that the stage has
}

TEST_CASE("an option of which nothing would come is refused, naming the stages") {
  const test::TemporaryFolder folder;
  test::write_text(folder / "recipe.json", R"({"stages": [
    {"name": "add", "surgery": {"recipe": ["all: attention=linear_add"], "transfer": {"steps": 30}},
     "train": {"epochs": 3}},
    {"name": "shift", "surgery": {"recipe": ["all: mlp=mixture"]},
     "train": {"epochs": 2, "optimizer": {"lr": 2e-4}}, "router": {"latency": [10, 3]}}]})");
  test::write_text(folder / "mine.json", R"({"data": {"train": "images"},
    "train": {"epochs": 9, "optimizer": {"lr": 1e-3}}, "router": {"latency": [6, 4]}})");
  const auto extending = [&](const std::string& more) {
    return concat("{\"extends\": [\"mine.json\", \"recipe.json\"]", more.empty() ? "" : ",\n", more,
                  "}");
  };
  const auto loaded = [&](const std::string& more, const std::vector<std::string>& set = {}) {
    test::write_text(folder / "top.json", extending(more));
    return load_train_config(folder / "top.json", set);
  };
  const auto refused = [&](const std::string& more, const std::vector<std::string>& set,
                           const std::string& start, const std::string& part) {
    try {
      loaded(more, set);
      FAIL("not refused: ", start);
    } catch (const Error& error) {
      const std::string what = error.what();
      CHECK(error.exit_code() == 2);
      CHECK_MESSAGE(what.starts_with(start), what);
      CHECK_MESSAGE(what.find(part) != std::string::npos, what);
    }
  };
  CHECK(loaded("").notices.empty());  // mine.json was written without the stages in mind
  refused("", {"train.epochs=1"},
          "--set train.epochs=1: nothing would come of it, because the stages that it concerns set "
          "train.epochs themselves: add (3, ",
          "shift (2, " + (folder / "recipe.json:5") +
              "). Write --set stages.add.train.epochs=1, or in a file");
  // Of stages whose attention stays as it is there is nothing to transfer, and without routers
  // nothing is balanced.
  refused("", {"surgery.transfer.steps=10"}, "--set surgery.transfer.steps=10: nothing would come",
          "Write --set stages.add.surgery.transfer.steps=10");
  refused("", {"router.latency=[6, 4]"}, "--set router.latency=[6, 4]: nothing would come",
          "Write --set stages.shift.router.latency=[...]");
  refused(R"("surgery": {"transfer": {"steps": 4}})", {},
          (folder / "top.json:2") + ": surgery.transfer.steps: nothing would come of it",
          "{\"stages\": {\"add\": {...}}}");
  const TrainConfig reached = loaded(
      R"("stages": {"add": {"surgery": {"transfer": {"steps": 4}}}})", {"stages.shift.seed=8"});
  CHECK(reached.stages[0].surgery.transfer.steps == 4);
  CHECK(reached.stages[1].train.epochs == 2);
  CHECK(reached.stages[1].seed == 8);
  CHECK(reached.notices.empty());
  refused("", {"stages.shft.train.epochs=1"}, "--set stages.shft.train.epochs=1: the list has no",
          "expected one of add, shift; did you mean 'shift'?");
  refused("", {"stages.add.out=x"}, "--set stages.add.out=x: stages.out: belongs to all", "");

  // A recipe's rate over a lower one.
  const TrainConfig slow = loaded(R"("train": {"optimizer": {"lr": 2.5e-5}})");
  REQUIRE(slow.notices.size() == 1);
  CHECK(slow.notices[0].starts_with(
      (folder / "recipe.json:5") +
      ": stage shift trains at 0.0002, which is 8 times the 2.5e-05 of stage add"));
  CHECK(
      loaded(R"("train": {"optimizer": {"lr": 2.5e-5}})", {"stages.shift.train.optimizer.lr=5e-6"})
          .notices.empty());
  // The printed form gives every stage everything: what it is extended or overridden by is held
  // against that.
  const std::string printed = to_text(loaded(""));
  CHECK(parse_train_config(printed, "printed.json").notices.empty());
  CHECK_THROWS_WITH_AS(parse_train_config(printed, "printed.json", {"seed=3"}),
                       doctest::Contains("--set stages.add.seed=3"), Error);
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
