// The C interface: answers, errors, sessions of several threads on the same weights.
#include <algorithm>
#include <cmath>
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

TEST_CASE("a network without a head has features in place of classes") {
  const test::TemporaryFolder folder;
  const ModelFile whole = test::random_model(named_spec("vit_micro"), 1);
  save_model(folder / "whole.safetensors", whole);
  save_model(folder / "m.safetensors", without_head(whole));
  shiftadd_session* session = shiftadd_open((folder / "m.safetensors").c_str());
  REQUIRE(session);
  CHECK(shiftadd_classes(session) == 0);
  REQUIRE(shiftadd_outputs(session) == 48);
  const std::string image = test::bitmap(64, 64, 1);
  float features[48] = {};
  CHECK(shiftadd_features_bytes(session, image.data(), image.size(), features, 47) == -1);
  CHECK(test::contains(shiftadd_error(), "room for 48 numbers, got 47"));
  CHECK(shiftadd_features_bytes(session, image.data(), image.size(), nullptr, 48) == -1);
  CHECK(shiftadd_features(session, nullptr, features, 48) == -1);
  CHECK(shiftadd_features_bytes(session, image.data(), image.size(), features, 48) == 48);
  shiftadd_prediction best[1];
  CHECK(shiftadd_classify_bytes(session, image.data(), image.size(), best, 1) == -1);
  CHECK(test::contains(shiftadd_error(), "the network has no head"));
  shiftadd_close(session);

  // The head's answer to them is the whole network's.
  session = shiftadd_open((folder / "whole.safetensors").c_str());
  REQUIRE(session);
  CHECK(shiftadd_outputs(session) == 7);
  CHECK(shiftadd_features_bytes(session, image.data(), image.size(), features, 48) == -1);
  CHECK(test::contains(shiftadd_error(), "the network has a head"));
  REQUIRE(shiftadd_classify_bytes(session, image.data(), image.size(), best, 1) == 1);
  const std::map<std::string, Tensor> weights(whole.weights.begin(), whole.weights.end());
  std::vector<double> logits;
  double sum = 0;
  for (int c = 0; c < 7; ++c) {
    double logit = weights.at("head.bias").data<float>()[c];
    for (int i = 0; i < 48; ++i)
      logit +=
          static_cast<double>(weights.at("head.weight").data<float>()[48 * c + i]) * features[i];
    logits.push_back(logit);
    sum += std::exp(logit);
  }
  CHECK(best[0].index == std::max_element(logits.begin(), logits.end()) - logits.begin());
  CHECK(best[0].probability ==
        doctest::Approx(std::exp(logits[static_cast<std::size_t>(best[0].index)]) / sum)
            .epsilon(1e-5));
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
