// See gpu_networks.h.
#include "tools/bench/gpu_networks.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>

#include "core/parallel.h"
#include "cuda/engine.h"
#include "data/encode.h"
#include "data/preprocess.h"
#include "data/synthetic.h"
#include "infer/cpu_engine.h"
#include "model/pack.h"
#include "tools/bench/network.h"
#include "tools/bench/operands.h"
#include "tools/bench/timer.h"

namespace shiftadd::tools {
namespace {

// Of tokens, as the shipped recipe's routers send them.
constexpr double kShiftShare = 0.8;
// How long a rate from JPEGs is taken.
constexpr double kJpegSeconds = 0.5;
constexpr int64_t kDrawnJpegs = 24, kDrawnSize = 432;
constexpr int kJpegQuality = 90;

// What configs/recipes/shiftadd.json makes of a network.
ModelSpec converted(ModelSpec spec) {
  spec.shift_add.codes = Codes::kBipolar2;
  spec.shift_add.values = ValueFormat::kInt8;
  spec.shift_add.int8_activations = true;
  spec.shift_add.blocks.assign(static_cast<std::size_t>(spec.depth),
                               {.attention = AttentionKind::kSoftmaxAdd,
                                .qkv = LayerKind::kShift,
                                .proj = LayerKind::kShift,
                                .mlp = LayerKind::kMixture});
  return spec;
}

// As publishers crop: 7/8 of the shorter side.
Preprocess preprocess_for(const Grid& size) {
  Preprocess preprocess;
  preprocess.crop = size;
  preprocess.resize = size.longer() * 8 / 7;
  return preprocess;
}

data::ImageSource again_and_again(const data::ImageSource& jpegs) {
  constexpr int64_t kWithoutEnd = int64_t{1} << 40;
  const int64_t count = jpegs.count;
  return {kWithoutEnd, [=](int64_t item) { return jpegs.name(item % count); },
          [=](int64_t item, const data::DecodeLimits& limits) {
            return jpegs.read(item % count, limits);
          }};
}

// Images that `take` gets a second, after a first batch that is not counted.
template <class Take>
double images_per_second(const data::ImageSource& jpegs, const Preprocess& preprocess,
                         int64_t batch, Take take) {
  using Clock = std::chrono::steady_clock;
  data::ImageStream stream(again_and_again(jpegs), preprocess, batch, num_threads());
  const auto next = [&] {
    const auto images = stream.next();
    if (!images->broken.empty()) throw user_error(images->broken.front().reason);
    take(images->images);
  };
  next();
  const auto begin = Clock::now();
  int64_t taken = 0;
  double seconds = 0;
  while (seconds < kJpegSeconds) {
    next();
    taken += batch;
    seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  }
  return static_cast<double>(taken) / seconds;
}

void hold_against_cpu(const ModelFile& model, cuda::CudaEngine& engine, NetworkFigures& figures) {
  const Tensor image = random_floats(model.spec.batch_shape(1), 0, 1);
  std::vector<float> expected(static_cast<std::size_t>(engine.outputs())), actual = expected;
  infer::CpuEngine cpu(network_of(model.spec), *model.pack, model.weights);
  cpu.run(image.data<float>(), 1, expected.data());
  engine.run(image.data<float>(), 1, actual.data());
  figures.same_bits = expected == actual;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double distance = std::abs(static_cast<double>(actual[i]) - expected[i]);
    if (!(distance <= figures.distance))  // what is no number is as far as can be
      figures.distance = std::isnan(distance) ? std::numeric_limits<double>::infinity() : distance;
  }
}

NetworkTime time_batch(const ModelSpec& spec, cuda::CudaEngine& engine, int64_t batch,
                       int64_t times, const data::ImageSource& jpegs) {
  const int64_t part = std::min(batch, cuda::CudaEngine::kMostImages);
  const auto parts = static_cast<double>(batch) / static_cast<double>(part);
  NetworkTime time = {batch};
  time.device_ms = 1e3 * parts * engine.time_forward(part, static_cast<uint32_t>(times));
  const Tensor images = random_floats(spec.batch_shape(batch), 0, 1);
  std::vector<float> logits(static_cast<std::size_t>(batch * engine.outputs()));
  const TimingPlan plan = {.seconds = 0.5, .warm_up = 2, .min_runs = 2, .max_runs = times};
  time.whole_ms =
      time_calls(plan, [&] { engine.run(images.data<float>(), batch, logits.data()); }).median_ms;
  time.jpeg_images_per_second =
      images_per_second(jpegs, preprocess_for(spec.image_size), batch, [&](const Tensor& decoded) {
        engine.run_pixels(decoded.data<uint8_t>(), batch, logits.data());
      });
  return time;
}

}  // namespace

const char* name_of(NetworkForm form) {
  switch (form) {
    case NetworkForm::kShiftAdd:
      return "ShiftAdd (softmax_add, shift, mixtures)";
    case NetworkForm::kInt8:
      return "dense, int8";
    case NetworkForm::kBf16:
      break;
  }
  return "dense, bf16";
}

NetworkFigures network_figures(const cuda::Device& device, const std::string& name,
                               NetworkForm form, const std::vector<int64_t>& batches, int64_t times,
                               const data::ImageSource& jpegs) {
  ModelSpec spec = open_spec(name);
  if (form == NetworkForm::kShiftAdd) spec = converted(spec);
  const ModelFile model =
      pack_model(random_model(spec), pack_in(form == NetworkForm::kBf16 ? "bf16" : "int8"));
  cuda::CudaEngine engine(network_of(spec), *model.pack, model.weights, device.share(),
                          data::pixel_levels(preprocess_for(spec.image_size)));
  NetworkFigures figures = {.model = name, .form = form, .times = {}};
  figures.launches = static_cast<int64_t>(engine.launches().list.size());
  hold_against_cpu(model, engine, figures);
  if (form == NetworkForm::kShiftAdd) engine.force_shift_share(kShiftShare);
  for (const int64_t batch : batches)
    figures.times.push_back(time_batch(spec, engine, batch, times, jpegs));
  return figures;
}

data::ImageSource drawn_jpegs() {
  using Files = std::vector<std::vector<uint8_t>>;
  const auto files = std::make_shared<Files>(static_cast<std::size_t>(kDrawnJpegs));
  const auto classes = static_cast<int64_t>(data::synthetic_classes().size());
  parallel_for(kDrawnJpegs, [&](int64_t i) {
    (*files)[static_cast<std::size_t>(i)] =
        data::encode_jpeg(data::synthetic_image(kDrawnSize, i % classes, i, 0), kJpegQuality);
  });
  return {kDrawnJpegs, [](int64_t item) { return "drawn image " + std::to_string(item); },
          [files](int64_t item, const data::DecodeLimits&) {
            return (*files)[static_cast<std::size_t>(item)];
          }};
}

double images_decoded_per_second(const data::ImageSource& jpegs) {
  return images_per_second(jpegs, preprocess_for(224), 32, [](const Tensor&) {});
}

}  // namespace shiftadd::tools
