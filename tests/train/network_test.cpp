// Where weights start, what is frozen, which teachers fit; comparing checkpoints with
// configurations.
#include "train/network.h"

#include <nlohmann/json.hpp>

#include "core/io/json_text.h"
#include "model/model_file.h"
#include "tests/support/support.h"
#include "tests/train/tiny_checkpoint.h"
#include "tests/train/tiny_spec.h"
#include "train/checkpoint.h"

using namespace shiftadd;
using namespace shiftadd::train;
using test::tiny_spec;

namespace {

const std::vector<std::string> kClasses = {"a", "b", "c"};

ModelFile tiny_file(const ModelSpec& spec, uint64_t seed) {
  const layers::Model model(spec, {}, seed);
  return {.spec = spec,
          .preprocess = {.resize = 0, .crop = spec.image_size},
          .classes = spec.classes == 3 ? kClasses : std::vector<std::string>{},
          .class_ids = {},
          .weights = model.state_dict()};
}

TrainConfig tiny_config() {
  TrainConfig config;
  config.model = tiny_spec();
  config.data.preprocess.crop = 8;
  return config;
}

const Say silent = [](const std::string&) {};
// Nothing in these tests measures on images.
const std::function<Tensor()> no_images = [] { return Tensor(); };

}  // namespace

TEST_CASE("costs are printed at the share of tokens that the routers aim at") {
  ModelSpec spec = tiny_spec();
  RouterConfig router;
  router.latency = {10, 3};
  CHECK(aimed_shift_share(router, spec) == kUsualShiftShare);  // no router
  spec.shift_add.blocks.resize(2);
  spec.shift_add.blocks[0].mlp = LayerKind::kMixture;
  CHECK(aimed_shift_share(router, spec) == doctest::Approx(10.0 / 13));
  router.latency = {6, 4};
  CHECK(aimed_shift_share(router, spec) == doctest::Approx(0.6));
  const test::TemporaryFolder folder;
  router.latency_file = folder / "none.json";
  CHECK_THROWS_AS(aimed_shift_share(router, spec), Error);
  router.balance = RouterConfig::Balance::kUniform;
  CHECK(aimed_shift_share(router, spec) == 0.5);
  router.balance = RouterConfig::Balance::kNone;
  CHECK(aimed_shift_share(router, spec) == kUsualShiftShare);
  router.calibrate = 0.7;
  CHECK(aimed_shift_share(router, spec) == 0.7);
}

TEST_CASE("weights start from a model file; another architecture is refused and named") {
  const test::TemporaryFolder folder;
  const std::string path = folder / "model.safetensors";
  save_model(path, tiny_file(tiny_spec(), 42));
  TrainConfig config = tiny_config();
  config.init.checkpoint = path;
  const auto model = make_network(config, tiny_spec(), kClasses, false, no_images, silent);
  const layers::Model expected(tiny_spec(), {}, 42);
  for (std::size_t i = 0; i < expected.state_dict().size(); ++i)
    test::check_close(model->state_dict()[i].second, expected.state_dict()[i].second, 0,
                      model->state_dict()[i].first);

  ModelSpec wider = tiny_spec();
  wider.width = 24;
  CHECK_THROWS_WITH_AS(
      make_network(config, wider, kClasses, false, no_images, silent),
      doctest::Contains("another network than this run's model: width 12 instead of 24."), Error);
  config.init.adapt = true;
  CHECK_THROWS_AS(make_network(config, wider, kClasses, false, no_images, silent), Error);
  CHECK_NOTHROW(make_network(config, wider, kClasses, true, no_images,
                             silent));  // resumed: the file is not needed
}

TEST_CASE("another number of classes needs init.adapt, which says what it changed") {
  const test::TemporaryFolder folder;
  const std::string path = folder / "model.safetensors";
  save_model(path, tiny_file(tiny_spec(), 42));
  TrainConfig config = tiny_config();
  config.init.checkpoint = path;
  ModelSpec more = tiny_spec();
  more.classes = 7;
  CHECK_THROWS_WITH_AS(make_network(config, more, kClasses, false, no_images, silent),
                       doctest::Contains("init.adapt"), Error);
  config.init.adapt = true;
  std::string said;
  const auto model = make_network(config, more, kClasses, false, no_images,
                                  [&](const std::string& line) { said += line; });
  CHECK(model->spec().classes == 7);
  CHECK(said.find("head") != std::string::npos);
}

TEST_CASE("frozen parameters are chosen by pattern") {
  TrainConfig config = tiny_config();
  config.train.freeze = {"blocks.*", "patch_embed.*"};
  const auto model = make_network(config, tiny_spec(), kClasses, false, no_images, silent);
  for (const auto& [name, parameter] : model->named_parameters()) {
    const bool frozen = name.starts_with("blocks.") || name.starts_with("patch_embed.");
    CHECK_MESSAGE(parameter.requires_grad() != frozen, name);
  }
  config.train.freeze = {"block.*"};
  CHECK_THROWS_WITH_AS(make_network(config, tiny_spec(), kClasses, false, no_images, silent),
                       doctest::Contains("'block.*' matches no parameter"), Error);
  config.train.freeze = {"*"};
  CHECK_THROWS_AS(make_network(config, tiny_spec(), kClasses, false, no_images, silent), Error);
}

TEST_CASE("a teacher must see the student's images and know its classes") {
  const test::TemporaryFolder folder;
  const std::string path = folder / "teacher.safetensors";
  TrainConfig config = tiny_config();
  CHECK(make_teacher(config, tiny_spec(), kClasses) == nullptr);
  config.train.teacher.checkpoint = path;
  ModelSpec spec = tiny_spec();
  spec.width = 24;  // another width is fine
  ModelFile file = tiny_file(spec, 1);
  file.preprocess = config.data.preprocess;
  save_model(path, file);
  CHECK(make_teacher(config, tiny_spec(), kClasses)->spec().width == 24);
  config.train.teacher.features = 1;  // unless blocks are compared
  CHECK_THROWS_WITH_AS(make_teacher(config, tiny_spec(), kClasses), doctest::Contains("width 24"),
                       Error);
  config.train.teacher.features = 0;

  file.classes = {"a", "b", "d"};
  save_model(path, file);
  CHECK_THROWS_WITH_AS(make_teacher(config, tiny_spec(), kClasses),
                       doctest::Contains("other names"), Error);
  file.classes.clear();
  file.preprocess.mean = {0.5f, 0.5f, 0.5f};
  save_model(path, file);
  CHECK_THROWS_WITH_AS(make_teacher(config, tiny_spec(), kClasses),
                       doctest::Contains("normalisation"), Error);
  spec.image_size = 16;
  save_model(path, tiny_file(spec, 1));
  CHECK_THROWS_WITH_AS(make_teacher(config, tiny_spec(), kClasses),
                       doctest::Contains("images of 3 x 16 x 16"), Error);
}

TEST_CASE("a checkpoint is read back whole, and is a model file") {
  const test::TemporaryFolder folder;
  const std::string path = folder / "last.safetensors";
  const layers::Model model(tiny_spec(), {}, 3);
  const Optimizer optimizer({}, model.named_parameters(), parameters_of(model.spec()));
  Checkpoint saved = test::checkpoint_of(tiny_file(tiny_spec(), 4), optimizer);
  saved.trained.emplace_back("train.head.bias", Tensor::full({3}, 7));
  saved.state.step = 12345678901;
  saved.state.loss_sum = 0.1 + 0.2;
  saved.state.log.events_name = "events";
  save_checkpoint(path, saved);
  const Checkpoint read = load_checkpoint(path);
  CHECK(read.state.step == 12345678901);
  CHECK(read.state.loss_sum == 0.1 + 0.2);
  CHECK(read.state.log.events_name == "events");
  CHECK(read.data_digest == "abc");
  CHECK(read.trained.size() == 1);
  CHECK(read.optimizer.size() == saved.optimizer.size());
  CHECK(load_model(path).spec == tiny_spec());

  save_model(path, saved.model);
  CHECK_THROWS_WITH_AS(load_checkpoint(path), doctest::Contains("no training checkpoint"), Error);
}

TEST_CASE("resuming names the options that differ, and lets those pass that change nothing") {
  const auto text = [](const char* json) { return json_text(parse_json(json)); };
  const std::string saved =
      text(R"({"out": "a", "train": {"epochs": 3, "lr": [1, 2]}, "log": {"every": 5}})");
  CHECK_NOTHROW(require_same_run("c", saved, saved));
  CHECK_NOTHROW(require_same_run(
      "c", saved,
      text(
          R"({"out": "b", "train": {"epochs": 3, "lr": [1, 2]}, "log": {"every": 6}, "threads": 2})")));
  CHECK_THROWS_WITH_AS(
      require_same_run("c", saved,
                       text(R"({"out": "a", "train": {"epochs": 4, "lr": [1, 2]}, "log": {}})")),
      doctest::Contains("train.epochs (3 there, 4 now)"), Error);
  CHECK_THROWS_WITH_AS(
      require_same_run("c", saved,
                       text(R"({"out": "a", "train": {"epochs": 3, "lr": [1, 2, 3]}})")),
      doctest::Contains("train.lr.2 (absent there, 3 now)"), Error);
  CHECK_THROWS_WITH_AS(require_same_run("c", "{", saved), doctest::Contains("damaged"), Error);
}
