// Batches: order, draws, broken images, resume, worker threads.
#include "data/loader.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>

#include "data/sampler.h"
#include "tests/data/dataset_support.h"

using namespace shiftadd;
using namespace shiftadd::data;
using namespace shiftadd::test;
namespace fs = std::filesystem;

namespace {

LoaderOptions options_for(bool training) {
  LoaderOptions options;
  options.training = training;
  options.batch = 4;
  options.workers = 1;
  options.preprocess = {.resize = 8,
                        .crop = 8,
                        .interpolation = Interpolation::kBilinear,
                        .mean = {0.5F, 0.5F, 0.5F},
                        .std = {0.5F, 0.5F, 0.5F}};
  options.augment.crop = AugmentOptions::Crop::kPadded;
  options.augment.padding = 2;
  options.seed = 9;
  return options;
}

struct Taken {
  std::vector<float> images, targets;
  std::vector<int64_t> labels, samples, indices, rows;
  bool operator==(const Taken&) const = default;
};

/// An epoch from batch `first`, and the tensors' shapes checked on the way.
Taken take(Loader& loader, int64_t epoch, int64_t first, int64_t classes) {
  Taken taken;
  loader.start(epoch, first);
  while (const auto batch = loader.next()) {
    const auto rows = static_cast<int64_t>(batch->labels.size());
    REQUIRE(rows > 0);
    REQUIRE(batch->images.shape() == Shape{rows, 3, 8, 8});
    REQUIRE(batch->samples.size() == batch->labels.size());
    for (float value : batch->images.span<float>()) taken.images.push_back(value);
    if (batch->targets.defined()) {
      REQUIRE(batch->targets.shape() == Shape{rows, classes});
      for (float value : batch->targets.span<float>()) taken.targets.push_back(value);
    }
    taken.labels.insert(taken.labels.end(), batch->labels.begin(), batch->labels.end());
    taken.samples.insert(taken.samples.end(), batch->samples.begin(), batch->samples.end());
    taken.indices.push_back(batch->index);
    taken.rows.push_back(rows);
  }
  CHECK(!loader.next());
  return taken;
}

struct SmallSet {
  TemporaryFolder folder;
  SmallSet() { write_small_set(folder.path(), {"a", "b", "c"}, 6); }
  ImageFolder open() const { return ImageFolder::open(folder.path()); }
};

TEST_CASE("loader: evaluation gives every sample in order, the short last batch included") {
  const SmallSet set;
  for (int workers : {0, 1, 3}) {
    LoaderOptions options = options_for(false);
    options.workers = workers;
    Loader loader(set.open(), options);
    CHECK(!loader.next());  // not started
    CHECK(loader.batches() == 5);
    const Taken taken = take(loader, 0, 0, 3);
    CHECK(taken.rows == std::vector<int64_t>{4, 4, 4, 4, 2});
    for (int64_t i = 0; i < 18; ++i) {
      CHECK(taken.samples[i] == i);
      CHECK(taken.labels[i] == i / 6);
      // Pixel (0, 0) is red; pixel (0, 1) has the colour of the file: 20 + 10 i, 30 c, 7 i.
      const float* image = taken.images.data() + i * 3 * 64;
      CHECK(image[0] == doctest::Approx(1));
      CHECK(image[1] == doctest::Approx((20 + 10 * (i % 6)) / 127.5 - 1));
      CHECK(image[64 + 1] == doctest::Approx(30 * (i / 6) / 127.5 - 1));
      CHECK(image[128 + 1] == doctest::Approx(7 * (i % 6) / 127.5 - 1));
    }
    CHECK(taken.targets.empty());
  }
}

TEST_CASE(
    "loader: batches do not depend on workers, prefetch or cache; they do on seed and epoch") {
  const SmallSet set;
  LoaderOptions options = options_for(true);
  options.workers = 0;
  options.label_smoothing = 0.1;
  options.mix.mixup_alpha = 0.8;
  options.mix.cutmix_alpha = 1;
  options.augment.random_erasing = 0.25;
  Loader plain(set.open(), options);
  const Taken epoch0 = take(plain, 0, 0, 3), epoch1 = take(plain, 1, 0, 3);
  CHECK(plain.batches() == 4);  // the short one is dropped
  CHECK(epoch0.samples.size() == 16);
  CHECK(epoch0.samples != epoch1.samples);
  const std::vector<int64_t> order = epoch_order(18, 1, options.seed, 1);
  CHECK(std::equal(epoch1.samples.begin(), epoch1.samples.end(), order.begin()));
  for (int workers : {0, 1, 3})
    for (int64_t prefetch : {1, 5})
      for (int64_t cache_bytes : {0, 2000, 1 << 20}) {
        options.workers = workers, options.prefetch = prefetch, options.cache_bytes = cache_bytes;
        Loader loader(set.open(), options);
        CHECK(take(loader, 0, 0, 3) == epoch0);
        CHECK(take(loader, 1, 0, 3) == epoch1);
        CHECK(take(loader, 0, 0, 3) == epoch0);
      }
  options.seed = 10;
  Loader other(set.open(), options);
  CHECK(take(other, 0, 0, 3).samples != epoch0.samples);
}

TEST_CASE("loader: an epoch resumed at any batch goes on as it would have") {
  const SmallSet set;
  LoaderOptions options = options_for(true);
  options.mix.mixup_alpha = 0.5;
  options.repeated_augmentation = 3;
  Loader loader(set.open(), options);
  const Taken whole = take(loader, 2, 0, 3);
  for (int64_t first = 0; first <= 4; ++first) {
    const Taken rest = take(loader, 2, first, 3);
    CHECK(std::equal(rest.images.begin(), rest.images.end(),
                     whole.images.begin() + first * 4 * 3 * 64));
    CHECK(std::equal(rest.targets.begin(), rest.targets.end(),
                     whole.targets.begin() + first * 4 * 3));
    CHECK(rest.images.size() == whole.images.size() - first * 4 * 3 * 64);
  }
  check_contains(error_of([&] { loader.start(2, 5); }), "batch 5");
  check_contains(error_of([&] { loader.start(2, -1); }), "batch -1");
}

TEST_CASE("loader: repeated augmentation shows an image in different versions") {
  const SmallSet set;
  LoaderOptions options = options_for(true);
  options.repeated_augmentation = 2;
  Loader loader(set.open(), options);
  const Taken taken = take(loader, 0, 0, 3);
  int different = 0;
  for (std::size_t i = 0; i < taken.samples.size(); i += 2) {
    CHECK(taken.samples[i] == taken.samples[i + 1]);
    const auto image = taken.images.begin() + i * 192;
    different += !std::equal(image, image + 192, image + 192);
  }
  CHECK(different >= 6);  // of 8: two equal crops and flips are rare
}

TEST_CASE("loader: smoothed targets") {
  const SmallSet set;
  LoaderOptions options = options_for(true);
  options.label_smoothing = 0.3;
  Loader loader(set.open(), options);
  const Taken taken = take(loader, 0, 0, 3);
  for (std::size_t i = 0; i < taken.labels.size(); ++i)
    for (int64_t c = 0; c < 3; ++c)
      CHECK(taken.targets[i * 3 + c] == doctest::Approx(c == taken.labels[i] ? 0.8 : 0.1));
}

TEST_CASE("loader: a broken image under the policy fail surfaces when its batch is due") {
  const SmallSet set;
  write_text(set.folder / "b/03.bmp", "no image");  // sample 9, batch 2
  for (int workers : {0, 1, 3}) {
    LoaderOptions options = options_for(false);
    options.workers = workers;
    Loader loader(set.open(), options);
    loader.start(0);
    CHECK(loader.next()->samples.front() == 0);
    CHECK(loader.next()->samples.front() == 4);
    for (int again = 0; again < 2; ++again)
      check_contains(error_of([&] { loader.next(); }), set.folder / "b/03.bmp: ");
    loader.start(0, 3);  // the loader is still good
    CHECK(loader.next()->samples.front() == 12);
  }
}

TEST_CASE("loader: skipped images are named and counted once and change nothing else") {
  const SmallSet set;
  LoaderOptions options = options_for(true);
  options.batch = 6;
  Loader whole(set.open(), options);
  const Taken before = take(whole, 4, 0, 3);
  write_text(set.folder / "a/01.bmp", "");  // sample 1
  fs::remove(set.folder / "c/05.bmp");      // sample 17 vanishes after opening
  for (int workers : {0, 1, 3}) {
    write_text(set.folder / "c/05.bmp", bmp(8, 8, 1, 1, 1));
    std::vector<std::string> warnings;
    options.workers = workers;
    options.broken = BrokenPolicy::kSkip;
    options.warn = [&](const std::string& line) { warnings.push_back(line); };
    const ImageFolder opened = set.open();
    fs::remove(set.folder / "c/05.bmp");
    Loader loader(opened, options);
    const Taken after = take(loader, 4, 0, 3);
    CHECK(after.samples.size() == 16);
    std::size_t j = 0;
    for (std::size_t i = 0; i < before.samples.size(); ++i) {
      if (before.samples[i] == 1 || before.samples[i] == 17) continue;
      REQUIRE(after.samples[j] == before.samples[i]);
      CHECK(std::equal(after.images.begin() + j * 192, after.images.begin() + (j + 1) * 192,
                       before.images.begin() + i * 192));
      ++j;
    }
    take(loader, 5, 0, 3);
    CHECK(loader.broken_count() == 2);
    REQUIRE(warnings.size() == 2);
    const std::string both = warnings[0] + warnings[1];
    check_contains(both, set.folder / "a/01.bmp");
    check_contains(both, set.folder / "c/05.bmp");
  }
}

TEST_CASE(
    "loader: a batch of nothing but broken images is left out, the others keep their number") {
  const SmallSet set;
  for (const char* name : {"a/04.bmp", "a/05.bmp", "b/00.bmp", "b/01.bmp"})
    write_text(set.folder / name, "broken");
  LoaderOptions options = options_for(false);
  options.broken = BrokenPolicy::kSkip;
  Loader loader(set.open(), options);
  const Taken taken = take(loader, 0, 0, 3);
  CHECK(taken.indices == std::vector<int64_t>{0, 2, 3, 4});
  CHECK(taken.samples[4] == 8);
  CHECK(loader.broken_count() == 4);
}

TEST_CASE("loader: quarantine appends each name once, over several runs") {
  const SmallSet set;
  write_text(set.folder / "a/01.bmp", "broken");
  write_text(set.folder / "b/02.bmp", "broken");
  const TemporaryFolder out;
  write_text(out / "list.txt", "an older name\n");
  LoaderOptions options = options_for(false);
  options.broken = BrokenPolicy::kQuarantine;
  check_contains(error_of([&] { Loader(set.open(), options); }), "quarantine");
  options.quarantine_file = out / "list.txt";
  for (int run = 0; run < 2; ++run) {
    Loader loader(set.open(), options);
    CHECK(take(loader, 0, 0, 3).samples.size() == 16);
    take(loader, 1, 0, 3);
  }
  CHECK(read_text(out / "list.txt") ==
        "an older name\n" + set.folder / "a/01.bmp\n" + set.folder / "b/02.bmp\n");
}

TEST_CASE("loader: destroyed or started anew in the middle of an epoch") {
  const SmallSet set;
  LoaderOptions options = options_for(true);
  options.batch = 3;
  for (int workers : {1, 3})
    for (int taken = 0; taken < 6; ++taken) {
      options.workers = workers;
      auto loader = std::make_unique<Loader>(set.open(), options);
      if (taken) loader->start(0);
      for (int i = 1; i < taken; ++i) REQUIRE(loader->next());
      loader->start(7);
      const auto batch = loader->next();
      loader.reset();
      CHECK(batch->samples.front() ==
            epoch_order(18, 1, options.seed, 7).front());  // outlives its loader
      CHECK(batch->images.numel() == 3 * 192);
    }
}

TEST_CASE("loader: memory of batches is used again once released, and never while held") {
  const SmallSet set;
  LoaderOptions options = options_for(false);
  options.prefetch = 2;
  options.batch = 1;
  Loader loader(set.open(), options);
  std::set<const void*> places;
  loader.start(0);
  while (const auto batch = loader.next()) places.insert(batch->images.raw());
  CHECK(places.size() <= 4);
  loader.start(0);
  std::vector<Batch> held;
  std::vector<std::vector<float>> copies;
  while (auto batch = loader.next()) {
    copies.emplace_back(batch->images.span<float>().begin(), batch->images.span<float>().end());
    held.push_back(std::move(*batch));
  }
  for (std::size_t i = 0; i < held.size(); ++i)
    CHECK(std::equal(copies[i].begin(), copies[i].end(), held[i].images.data<float>()));
}

TEST_CASE("loader: options out of range") {
  const SmallSet set;
  const auto error = [&](auto change) {
    LoaderOptions options = options_for(true);
    change(options);
    return error_of([&] { Loader(set.open(), options); });
  };
  check_contains(error([](LoaderOptions& o) { o.batch = 0; }), "batch is 0");
  check_contains(error([](LoaderOptions& o) { o.batch = 19; }),
                 "18 training images do not fill one batch of 19");
  check_contains(error([](LoaderOptions& o) { o.workers = -1; }), "workers is -1");
  check_contains(error([](LoaderOptions& o) { o.prefetch = 0; }), "prefetch is 0");
  check_contains(error([](LoaderOptions& o) { o.repeated_augmentation = 0; }),
                 "repeated_augmentation is 0");
  check_contains(error([](LoaderOptions& o) { o.label_smoothing = 1; }), "label_smoothing is 1");
  check_contains(error([](LoaderOptions& o) { o.augment.rand_augment = "nonsense"; }),
                 "rand_augment");
}

}  // namespace
