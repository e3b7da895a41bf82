// Images as bytes, normalised on the device: the bits of what is normalised before.
#include <cstring>

#include "cuda/engine.h"
#include "model/pack.h"
#include "tests/cuda/executor.h"
#include "tests/infer/models.h"

using namespace shiftadd;

namespace {

constexpr int kByteValues = 256;

// Every byte has a number of its own in each channel, none of them round.
std::vector<float> levels_of(int64_t channels) {
  std::vector<float> levels;
  for (int64_t c = 0; c < channels; ++c)
    for (int v = 0; v < kByteValues; ++v)
      levels.push_back((static_cast<float>(v) / 255.0F - 0.4F - 0.03F * static_cast<float>(c)) /
                       (0.21F + 0.01F * static_cast<float>(c)));
  return levels;
}

void check(const ModelSpec& spec, const char* format, const std::vector<int64_t>& batches) {
  INFO(spec.name, " in ", std::string(format));
  const ModelFile packed = pack_model(test::random_model(spec, 3), pack_in(format));
  const std::vector<float> levels = levels_of(spec.in_channels);
  cuda::CudaEngine engine(network_of(packed.spec), *packed.pack, packed.weights,
                          test::device().share(), levels);
  const int64_t places = spec.image_size.count(), values = spec.image_values();
  for (const int64_t batch : batches) {
    std::vector<uint8_t> pixels(static_cast<std::size_t>(batch * values));
    std::vector<float> planes(pixels.size());
    for (int64_t image = 0; image < batch; ++image)
      for (int64_t place = 0; place < places; ++place)
        for (int64_t c = 0; c < spec.in_channels; ++c) {
          const int64_t at = (image * places + place) * spec.in_channels + c;
          const auto byte = static_cast<uint8_t>(at * 37 / 5);
          pixels[static_cast<std::size_t>(at)] = byte;
          planes[static_cast<std::size_t>(image * values + c * places + place)] =
              levels[static_cast<std::size_t>(c * kByteValues + byte)];
        }
    const auto outputs = static_cast<std::size_t>(batch * engine.outputs());
    std::vector<float> expected(outputs), actual(outputs);
    engine.run(planes.data(), batch, expected.data());
    engine.run_pixels(pixels.data(), batch, actual.data());
    INFO("batch ", batch);
    CHECK(std::memcmp(actual.data(), expected.data(), outputs * sizeof(float)) == 0);
  }
}

}  // namespace

TEST_CASE("images as bytes give the bits of normalised ones, in each format") {
  for (const ModelSpec& spec : test::odd_specs())
    for (const char* format : {"int8", "bf16", "float32"}) check(spec, format, {1, 3});
  check(test::odd_specs().back(), "int8", {65});  // more than one part
}

TEST_CASE("gray images as bytes give the bits of normalised ones") {
  ModelSpec spec = test::odd_specs().front();
  spec.in_channels = 1;
  for (const char* format : {"int8", "float32"}) check(spec, format, {2});
}
