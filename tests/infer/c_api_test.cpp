// The C interface: answers, errors, sessions of several threads on the same weights.
#include <cstring>
#include <thread>

#include "infer/shiftadd.h"
#include "tests/data/bitmap.h"
#include "tests/infer/models.h"
#include "tests/support/support.h"

using namespace shiftadd;

TEST_CASE("the C interface says why a call failed, and nothing after one that did not") {
  const test::TemporaryFolder folder;
  CHECK(shiftadd_open(nullptr) == nullptr);
  CHECK(std::strlen(shiftadd_error()) > 0);
  CHECK(shiftadd_open((folder / "none").c_str()) == nullptr);
  CHECK(test::contains(shiftadd_error(), "none"));
  CHECK(shiftadd_share(nullptr) == nullptr);
  CHECK(shiftadd_classes(nullptr) == 0);
  CHECK(shiftadd_height(nullptr) == 0);
  CHECK(shiftadd_width(nullptr) == 0);
  shiftadd_close(nullptr);

  const ModelFile model = test::random_model(named_spec("vit_micro"), 1);
  save_model(folder / "m.safetensors", model);
  shiftadd_session* session = shiftadd_open((folder / "m.safetensors").c_str());
  REQUIRE(session);
  CHECK(std::string(shiftadd_error()).empty());
  CHECK(shiftadd_classes(session) == 7);
  shiftadd_prediction best[9];
  CHECK(shiftadd_classify_bytes(session, "xyz", 3, best, 9) == -1);
  CHECK(std::strlen(shiftadd_error()) > 0);
  CHECK(shiftadd_classify(session, nullptr, best, 9) == -1);
  CHECK(shiftadd_classify(session, (folder / "none.png").c_str(), best, 9) == -1);
  const std::string image = test::bitmap(40, 50, 1);
  CHECK(shiftadd_classify_bytes(session, image.data(), image.size(), nullptr, 1) == -1);
  CHECK(shiftadd_classify_bytes(session, image.data(), image.size(), best, 9) == 7);
  CHECK(std::string(shiftadd_error()).empty());
  float sum = 0;
  for (int i = 0; i < 7; ++i) {
    sum += best[i].probability;
    CHECK(best[i].name == nullptr);  // the model names no classes
    if (i > 0) CHECK(best[i].probability <= best[i - 1].probability);
  }
  CHECK(sum == doctest::Approx(1));
  shiftadd_close(session);
}

TEST_CASE("a network for gray images that are no squares answers through the C interface") {
  ModelSpec spec = named_spec("vit_micro");
  spec.image_size = {32, 48}, spec.in_channels = 1;
  const test::TemporaryFolder folder;
  ModelFile model = test::random_model(spec, 1);
  save_model(folder / "m.safetensors", model);
  shiftadd_session* session = shiftadd_open((folder / "m.safetensors").c_str());
  REQUIRE(session);
  CHECK(shiftadd_height(session) == 32);
  CHECK(shiftadd_width(session) == 48);
  const std::string image = test::bitmap(40, 50, 1);
  shiftadd_prediction best[7];
  CHECK(shiftadd_classify_bytes(session, image.data(), image.size(), best, 7) == 7);
  shiftadd_close(session);

  model.preprocess.mean = imagenet_mean(3), model.preprocess.std = imagenet_std(3);
  save_model(folder / "colour.safetensors", model);
  CHECK(shiftadd_open((folder / "colour.safetensors").c_str()) == nullptr);
  CHECK(test::contains(shiftadd_error(),
                       "preprocessing has a mean for 3 channels, but the model takes 1"));
  model = test::random_model(named_spec("vit_micro"), 1);
  model.preprocess.crop = {64, 48};
  save_model(folder / "narrow.safetensors", model);
  CHECK(shiftadd_open((folder / "narrow.safetensors").c_str()) == nullptr);
  CHECK(test::contains(shiftadd_error(),
                       "preprocessing crops to 64 x 48, but the model takes 64 x 64"));
}

TEST_CASE("threads with a session each, on the same weights, answer as one does") {
  const test::TemporaryFolder folder;
  save_model(folder / "m.safetensors", test::random_model(named_spec("vit_micro"), 1));
  shiftadd_session* first = shiftadd_open((folder / "m.safetensors").c_str());
  REQUIRE(first);
  constexpr int kImages = 12, kThreads = 3;
  const auto answers = [](shiftadd_session* session) {
    std::vector<float> all;
    for (int i = 0; i < kImages; ++i) {
      const std::string image = test::bitmap(40, 50, i);
      shiftadd_prediction best[7];
      if (shiftadd_classify_bytes(session, image.data(), image.size(), best, 7) != 7) return all;
      for (const auto& each : best) all.push_back(each.probability);
    }
    return all;
  };
  const std::vector<float> expected = answers(first);
  CHECK(expected.size() == 7 * kImages);
  std::vector<std::vector<float>> found(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      shiftadd_session* own = shiftadd_share(first);
      found[t] = answers(own);
      shiftadd_close(own);
    });
  for (std::thread& thread : threads) thread.join();
  for (const auto& each : found) CHECK(each == expected);
  shiftadd_close(first);
}
