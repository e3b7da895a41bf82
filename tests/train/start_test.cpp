// What a run takes from the network it starts from: sizes, preprocessing, rows of the head.
#include "train/start.h"

#include <algorithm>

#include "tests/support/support.h"
#include "tests/train/tiny_spec.h"
#include "train/network.h"

using namespace shiftadd;
using namespace shiftadd::train;
using test::contains;
using test::tiny_spec;

namespace {

using Names = std::vector<std::string>;
using Rows = std::vector<int64_t>;

ModelFile file_of(const Names& classes, const Names& ids = {}, int64_t unnamed = 3) {
  ModelSpec spec = tiny_spec();
  spec.classes = classes.empty() ? unnamed : static_cast<int64_t>(classes.size());
  const layers::Model model(spec, {}, 42);
  return {.spec = spec,
          .preprocess = {.resize = 10,
                         .crop = 8,
                         .interpolation = Interpolation::kBilinear,
                         .mean = {0.5F, 0.25F, 0.125F},
                         .std = {0.5F, 1, 2},
                         .exif_orientation = true},
          .classes = classes,
          .class_ids = ids,
          .weights = model.state_dict()};
}

// A configuration that starts from `path` and says `more` besides.
TrainConfig config_of(const std::string& path, const std::string& more = "",
                      const std::vector<std::string>& overrides = {}) {
  return parse_train_config(
      concat(R"({"init": {"checkpoint": ")", path, R"("})", more.empty() ? "" : ", ", more, "}"),
      "c.json", [&] {
        std::vector<std::string> all = {"data.train=images"};
        all.insert(all.end(), overrides.begin(), overrides.end());
        return all;
      }());
}

HeadPlan plan(InitConfig::Head how, const ModelFile& file, const Names& classes) {
  TrainConfig config;
  config.init.checkpoint = "start";
  config.init.head = how;
  return plan_head(config, file, static_cast<int64_t>(classes.size()), classes);
}

}  // namespace

TEST_CASE("sizes and preprocessing are the start's where the configuration does not say") {
  const test::TemporaryFolder folder;
  const std::string path = folder / "start.safetensors";
  const ModelFile file = file_of({"a", "b", "c"});
  save_model(path, file);
  TrainConfig config = with_start(config_of(path));
  ModelSpec expected = tiny_spec();
  expected.classes = 0;
  CHECK(config.model == expected);
  CHECK(config.data.preprocess == file.preprocess);
  CHECK(config.inherits.empty());

  config = with_start(config_of(path, R"("data": {"preprocess": {"mean": [0, 0, 0]}})"));
  CHECK(config.data.preprocess.mean == std::vector<float>{0, 0, 0});
  CHECK(config.data.preprocess.std == file.preprocess.std);
  config = with_start(config_of(path, R"("data": {"preprocess": {"resize": 0, "std": [1, 1, 1],
      "interpolation": "bicubic", "exif_orientation": false}})"));
  CHECK(config.data.preprocess ==
        (Preprocess{.resize = 0, .crop = 8, .mean = file.preprocess.mean, .std = {1, 1, 1}}));
  // Another image size: the crop keeps its share of the image; -1 is as without a start.
  config = with_start(config_of(path, R"("model": {"image_size": 16})"));
  CHECK(config.model.patch_size == 4);
  CHECK(config.data.preprocess.resize == 20);
  CHECK(config.data.preprocess.crop == 16);
  config = with_start(config_of(path, "", {"data.preprocess.resize=-1"}));
  CHECK(config.data.preprocess.resize == 9);
  // A base says all sizes, whatever the file holds.
  config = with_start(config_of(path, R"("model": {"base": "vit_micro"})"));
  CHECK(config.model.width == 48);
  CHECK(config.data.preprocess.mean == file.preprocess.mean);

  CHECK_THROWS_WITH_AS(with_start(config_of(path, R"("model": {"image_size": 18})")),
                       doctest::Contains("not divisible by patch_size 4"), Error);
  CHECK_THROWS_WITH_AS(with_start(config_of(path, "", {"data.preprocess.resize=4"})),
                       doctest::Contains("data.preprocess.resize: expected 0 or at least "
                                         "model.image_size, which is 8, got 4"),
                       Error);
  CHECK_THROWS_WITH_AS(with_start(config_of(folder / "none.safetensors")),
                       doctest::Contains("none.safetensors"), Error);
  TrainConfig by_hand;  // says everything
  by_hand.init.checkpoint = folder / "none.safetensors";
  CHECK_NOTHROW(with_start(by_hand));
}

TEST_CASE("a start that takes gray images of no square brings all of it") {
  const test::TemporaryFolder folder;
  const std::string path = folder / "start.safetensors";
  ModelFile file = file_of({"a", "b", "c"});
  file.spec.image_size = file.preprocess.crop = {8, 12};
  file.spec.in_channels = 1;
  file.preprocess.mean = {0.5F}, file.preprocess.std = {0.25F};
  file.preprocess.resize_mode = ResizeMode::kSquash;
  file.weights = layers::Model(file.spec, {}, 42).state_dict();
  save_model(path, file);
  TrainConfig config = with_start(config_of(path));
  file.spec.classes = 0;
  CHECK(config.model == file.spec);
  CHECK(config.data.preprocess == file.preprocess);
  // Twice the size: twice the resize, which squash measures by the shorter side.
  config = with_start(config_of(path, R"("model": {"image_size": [16, 24]})"));
  CHECK(config.data.preprocess.resize == 20);
  CHECK_THROWS_WITH_AS(
      with_start(config_of(path, R"("data": {"preprocess": {"mean": [0, 0, 0]}})")),
      "data.preprocess.mean: has 3 numbers, but the network takes gray images: expected 1", Error);
}

TEST_CASE("a configuration that leaves sizes to its start prints back to itself") {
  for (const char* more :
       {"", R"("model": {"image_size": 30})", R"("model": {"base": "vit_cifar"})",
        R"("data": {"preprocess": {"resize": -1}})",
        R"("stages": [{"name": "a"}, {"model": {"width": 24}, "init": {"checkpoint": "b"}}])"}) {
    const TrainConfig config = config_of("missing.safetensors", more);
    const std::string text = to_text(config);
    INFO(text);
    const TrainConfig again = parse_train_config(text, "printed.json");
    CHECK(to_text(again) == text);
    CHECK(again.inherits == config.inherits);
  }
  // Only a stage has a start.
  const char* scratch = R"({"data": {"train": "x"}, "model": {"width": 24},
      "stages": [{"name": "a"}, {"name": "b", "init": {"checkpoint": "b"}}]})";
  const TrainConfig config = parse_train_config(scratch, "c.json");
  CHECK(config.stages[0].inherits.empty());
  CHECK(config.stages[1].inherits.size() + 1 == inheritable_keys().size());
  CHECK(to_text(parse_train_config(to_text(config), "printed.json")) == to_text(config));
}

TEST_CASE("stages inherit from the stage before, resumed runs from their checkpoint") {
  const test::TemporaryFolder folder;
  const std::string path = folder / "start.safetensors", last = folder / "last.safetensors";
  save_model(path, file_of({"a", "b", "c"}));
  ModelFile other = file_of({"a", "b", "c"});
  other.preprocess.mean = {0.75F, 0.75F, 0.75F};
  save_model(last, other);
  const TrainConfig staged = with_start(config_of(
      path, R"("stages": [{"name": "a"}, {"name": "b", "data": {"preprocess": {"resize": 0}}}])"));
  CHECK(staged.stages[0].model.width == 12);
  CHECK(staged.stages[1].model == staged.stages[0].model);
  CHECK(staged.stages[1].data.preprocess.mean == staged.stages[0].data.preprocess.mean);
  CHECK(staged.stages[1].data.preprocess.resize == 0);
  CHECK(staged.stages[0].data.preprocess.resize == 10);
  const TrainConfig resumed = with_start(config_of(folder / "gone.safetensors"), last);
  CHECK(resumed.model.width == 12);
  CHECK(resumed.data.preprocess.mean == other.preprocess.mean);
}

TEST_CASE("the log says whose preprocessing it is") {
  const ModelFile file = file_of({"a", "b", "c"});
  TrainConfig config;
  config.init.checkpoint = "start";
  config.model = file.spec;
  config.data.preprocess = file.preprocess;
  CHECK(describe_preprocess(config, file) ==
        "preprocessing of start: resize 10, interpolation bilinear, mean 0.5 0.25 0.125, "
        "std 0.5 1 2");
  config.data.preprocess.mean = {0.5F, 0.5F, 0.5F};
  config.data.preprocess.resize = 0;
  CHECK(describe_preprocess(config, file) ==
        "preprocessing of start: interpolation bilinear, std 0.5 1 2; of the configuration: "
        "resize none (there 10), mean 0.5 0.5 0.5 (there 0.5 0.25 0.125)");
}

TEST_CASE("the head keeps the rows of classes that are called the same") {
  using Head = InitConfig::Head;
  const ModelFile named = file_of({"cat", "dog", "fox"});
  const ModelFile ids = file_of({"a cat", "a dog", "a cat"}, {"n1", "n2", "n3"});
  const ModelFile unnamed = file_of({}, {}, 12);
  struct Case {
    Head how;
    const ModelFile* file;
    Names classes;
    Rows rows;
    const char* said;
  };
  for (const Case& each :
       {Case{Head::kAuto, &named, {"cat", "dog", "fox"}, {0, 1, 2}, "3 classes kept by name"},
        Case{Head::kAuto, &named, {"fox", "cat", "dog"}, {2, 0, 1}, "in another order"},
        Case{Head::kAuto, &named, {"dog", "fox"}, {1, 2}, "2 classes kept by name, of 3"},
        Case{Head::kAuto,
             &named,
             {"ape", "bat", "cow"},
             {-1, -1, -1},
             "3 new classes: none is called as one of the 3 of start"},
        Case{Head::kAuto, &named, {"Cat", "ape"}, {-1, -1}, "'Cat' and 'cat' differ only in"},
        Case{Head::kAuto,
             &named,
             {"ape", "cat", "owl"},
             {-1, 0, -1},
             "1 classes kept by name, 2 new: ape, owl"},
        Case{Head::kAuto, &ids, {"n3", "n1"}, {2, 0}, "2 classes kept by name"},
        Case{Head::kAuto, &ids, {"a cat", "a dog"}, {-1, 1}, "1 new: a cat"},
        Case{Head::kAuto, &unnamed, {"0", "1", "10", "11", "2"}, {0, 1, 10, 11, 2}, "5 classes"},
        Case{Head::kAuto, &unnamed, {"a", "b"}, {-1, -1}, "the 12 of start have no names"},
        Case{Head::kByName, &named, {"fox", "owl"}, {2, -1}, "1 new: owl"},
        Case{Head::kNew, &named, {"cat", "dog", "fox"}, {-1, -1, -1}, "(init.head new)"},
        Case{Head::kKeep, &named, {"x", "y", "z"}, {0, 1, 2}, "(init.head keep)"}}) {
    const HeadPlan made = plan(each.how, *each.file, each.classes);
    INFO(made.said);
    CHECK(made.rows == each.rows);
    CHECK(contains(made.said, each.said));
    CHECK(made.is_whole() == (std::count(each.rows.begin(), each.rows.end(), -1) == 0));
  }
  CHECK_THROWS_WITH_AS(plan(Head::kKeep, named, {"a", "b"}),
                       doctest::Contains("start has 3 classes, the data 2"), Error);
  CHECK_THROWS_WITH_AS(plan(Head::kByName, named, {"a", "b"}), doctest::Contains("cannot be found"),
                       Error);
  CHECK_THROWS_WITH_AS(plan(Head::kByName, unnamed, {"a", "b"}), doctest::Contains("have no names"),
                       Error);
  ModelFile headless = unnamed;
  headless.spec.classes = 0;
  CHECK(contains(plan(Head::kAuto, headless, {"a", "b"}).said, "2 new classes: start has no head"));
}

TEST_CASE("a network starts with the rows that were planned, at any number of classes") {
  const test::TemporaryFolder folder;
  const std::string path = folder / "start.safetensors";
  const ModelFile file = file_of({"cat", "dog", "fox"});
  save_model(path, file);
  const Tensor& old = file.weights[file.weights.size() - 2].second;
  const auto head_of = [&](const Names& classes, const std::vector<std::string>& overrides) {
    const TrainConfig config = with_start(config_of(path, "", overrides));
    std::string said;
    const auto model = make_network(
        config, planned_spec(config, static_cast<int64_t>(classes.size())), classes, false,
        [] { return Tensor(); }, [&](const std::string& line) { said += line + "\n"; });
    CHECK(contains(said, "head: "));
    CHECK(contains(said, "preprocessing of " + path));
    return model->state_dict()[file.weights.size() - 2].second;
  };
  const auto row = [](const Tensor& head, int64_t i) {
    return std::vector<float>(head.data<float>() + i * 12, head.data<float>() + (i + 1) * 12);
  };
  const Tensor moved = head_of({"fox", "cat", "dog"}, {});
  CHECK(row(moved, 0) == row(old, 2));
  CHECK(row(moved, 1) == row(old, 0));
  const Tensor fresh = head_of({"x", "y", "z"}, {});
  for (int64_t i = 0; i < 3; ++i) CHECK(row(fresh, i) != row(old, i));
  CHECK(row(head_of({"x", "y", "z"}, {"init.head=keep"}), 1) == row(old, 1));
  for (const char* option : {"init.adapt=true", "init.head=by_name"}) {
    const Tensor more = head_of({"ape", "cat", "dog", "fox", "owl"}, {option});
    CHECK(more.dim(0) == 5);
    CHECK(row(more, 3) == row(old, 2));
  }
  CHECK(row(head_of({"cat", "dog"}, {"init.head=new"}), 0) != row(old, 0));
  CHECK_THROWS_WITH_AS(head_of({"cat", "dog"}, {}),
                       doctest::Contains("classes 3 instead of 2. Leave these keys"), Error);
}
