// The evaluation of a network: what is not finite is named.
#include "train/evaluation.h"

#include <atomic>
#include <limits>

#include "data/synthetic.h"
#include "tests/support/support.h"
#include "tests/train/tiny_spec.h"

using namespace shiftadd;
using namespace shiftadd::train;
using test::contains;

namespace {

/// A network of the synthetic classes, and a set to evaluate it on.
struct Judged {
  Judged() {
    data::write_synthetic(
        folder / "set",
        {.size = 8, .train_per_class = 1, .val_per_class = 1, .seed = 0, .jpeg = false});
    ModelSpec spec = test::tiny_spec();
    spec.classes = static_cast<int64_t>(data::synthetic_classes().size());
    model = std::make_unique<layers::Model>(spec, layers::ModelOptions{}, 1);
  }
  void spoil(const std::string& name, float value) {
    for (auto& [own, parameter] : model->named_parameters())
      if (own == name) parameter.value().data<float>()[0] = value;
  }
  std::optional<Validation> judge(const std::function<void(int64_t, int64_t)>& report = {}) {
    const data::ImageFolder set = data::ImageFolder::open(folder / "set/val");
    data::LoaderOptions options;
    options.batch = 4;
    options.training = false;
    options.preprocess.crop = options.preprocess.resize = 8;
    data::Loader loader(set, options);
    return evaluate({.model = *model, .set = set, .loader = loader, .name = "it", .report = report},
                    stop);
  }
  test::TemporaryFolder folder;
  std::unique_ptr<layers::Model> model;
  std::atomic<bool> stop{false};
};

}  // namespace

TEST_CASE("logits that are not finite end an evaluation, with network, image and class") {
  const float infinite = std::numeric_limits<float>::infinity();
  struct Case {
    std::string weight;
    float value;
    std::string says;
  };
  for (const Case& each :
       {Case{"head.bias", std::numeric_limits<float>::quiet_NaN(), "class 0: nan"},
        Case{"head.bias", -infinite, "class 0: -inf"},
        Case{"norm.weight", infinite, "not finite (class"},
        Case{"head.weight", infinite, "not finite (class 0: "}}) {
    Judged judged;
    judged.spoil(each.weight, each.value);
    CAPTURE(each.weight);
    std::string text;
    try {
      judged.judge();
    } catch (const Error& error) {
      CHECK(error.exit_code() == 1);
      text = error.what();
    }
    CHECK_MESSAGE(text.starts_with("it: its logits for " + judged.folder.path()), text);
    CHECK_MESSAGE(contains(text, each.says), text);
  }
}

TEST_CASE("an evaluation says how far it is, and stops when asked") {
  Judged judged;
  std::vector<int64_t> done;
  const auto result = judged.judge([&](int64_t batch, int64_t batches) {
    CHECK(batches == 3);
    done.push_back(batch);
  });
  REQUIRE(result);
  CHECK(result->answers.images() == 12);
  CHECK(done == std::vector<int64_t>{1, 2, 3});
  judged.stop = true;
  CHECK_FALSE(judged.judge());
}
