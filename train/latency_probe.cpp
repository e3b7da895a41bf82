// The experts and their clock.
#include "train/latency_probe.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <map>
#include <tuple>

#include "core/cpu/isa.h"
#include "core/cpu/packed_gemm.h"
#include "core/int8_matrix.h"
#include "core/kernels.h"
#include "core/memory_limit.h"
#include "core/parallel.h"
#include "core/random.h"
#include "train/manifest.h"

namespace shiftadd::train {
namespace {

constexpr int kWarmUp = 5;
constexpr std::size_t kMinRuns = 15, kMaxRuns = 100'000;

bool is_integer(const ShiftAddSpec& options) {
  return options.int8_activations && options.format == ShiftFormat::k4Bit;
}

Tensor random_tensor(const Shape& shape, uint64_t stream) {
  const Tensor result(shape);
  const RandomStream random(0, stream);
  for (int64_t i = 0; i < result.numel(); ++i)
    result.data<float>()[i] = 2 * random.uniform(static_cast<uint64_t>(i)) - 1;
  return result;
}

// One product of an expert on `tokens` rows, as it is deployed.
class Layer {
 public:
  Layer(int64_t tokens, int64_t in, int64_t out, bool shift, const ShiftAddSpec& options)
      : tokens_(tokens),
        in_(in),
        out_(out),
        integer_(shift && is_integer(options)),
        quantized_(shift && options.int8_activations),
        bias_(random_tensor({out}, 2)),
        scales_({tokens}),
        active_({tokens, in}),
        codes_({tokens, in}, DType::kI8) {
    const Tensor weight = random_tensor({out, in}, 1);
    if (integer_) {
      integers_ = DotMatrix(shift_rows(weight));
      return;
    }
    if (shift)
      kernels<float>().shift_quantize(
          {out, in, options.format, weight.data<float>(), weight.data<float>(), nullptr, nullptr});
    weight_ = PackedMatrix(weight.data<float>(), out, in);
  }

  // gelu of the result where asked: within the product where that is possible.
  void run(const float* x, float* y, bool gelu) const {
    if (quantized_)
      kernels<float>().quantize_tokens({tokens_, in_, x, scales_.data<float>(), nullptr,
                                        integer_ ? nullptr : active_.data<float>(),
                                        codes_.data<int8_t>()});
    if (!integer_) {
      gemm_packed(quantized_ ? active_.data<float>() : x, in_, tokens_, weight_, y, out_,
                  bias_.data<float>(), gelu ? Activation::kGelu : Activation::kNone);
      return;
    }
    kernels<float>().int8_gemm({.tokens = tokens_,
                                .outputs = out_,
                                .inputs = in_,
                                .x = codes_.data<int8_t>(),
                                .scales = scales_.data<float>(),
                                .panels = integers_.panels.data<uint8_t>(),
                                .units = integers_.units.data<float>(),
                                .bias = bias_.data<float>(),
                                .activation = gelu ? Activation::kGelu : Activation::kNone,
                                .y = y});
  }

 private:
  int64_t tokens_, in_, out_;
  bool integer_, quantized_;
  Tensor bias_, scales_, active_, codes_;
  DotMatrix integers_;   // integer
  PackedMatrix weight_;  // otherwise
};

// A linear layer, or an MLP where hidden > 0.
class Expert {
 public:
  Expert(int64_t tokens, const RouterLatency& sizes, bool shift, const ShiftAddSpec& options)
      : hidden_({tokens, sizes.hidden}),
        output_({tokens, sizes.outputs}),
        first_(tokens, sizes.inputs, sizes.hidden ? sizes.hidden : sizes.outputs, shift, options),
        second_(tokens, sizes.hidden ? sizes.hidden : 1, sizes.outputs, shift, options) {}

  void run(const float* x) const {
    if (hidden_.dim(1) == 0) return first_.run(x, output_.data<float>(), false);
    first_.run(x, hidden_.data<float>(), true);
    second_.run(hidden_.data<float>(), output_.data<float>(), false);
  }

 private:
  Tensor hidden_, output_;
  Layer first_, second_;  // second_ is idle where there is no hidden layer
};

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

struct PairTiming {
  double mult_ms = 0, shift_ms = 0;
  int64_t repeats = 0;
};

PairTiming time_pair(const std::function<void()>& mult, const std::function<void()>& shift,
                     double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto milliseconds = [](Clock::duration d) {
    return std::chrono::duration<double, std::milli>(d).count();
  };
  for (int i = 0; i < kWarmUp; ++i) mult(), shift();
  std::vector<double> mult_ms, shift_ms;
  const auto begin = Clock::now();
  while (mult_ms.size() < kMaxRuns &&
         (mult_ms.size() < kMinRuns || milliseconds(Clock::now() - begin) < 1e3 * seconds)) {
    const auto start = Clock::now();
    mult();
    const auto middle = Clock::now();
    shift();
    const auto end = Clock::now();
    mult_ms.push_back(milliseconds(middle - start));
    shift_ms.push_back(milliseconds(end - middle));
  }
  return {median_of(mult_ms), median_of(shift_ms), static_cast<int64_t>(mult_ms.size())};
}

std::string words_of(const ShiftAddSpec& options) {
  if (is_integer(options)) return "int8 x 4bit, integers";
  return concat("float32 product of ", options.int8_activations ? "int8" : "float", " x ",
                name_of(options.format));
}

}  // namespace

std::vector<RouterLatency> router_widths(const ModelSpec& spec) {
  std::vector<RouterLatency> result;
  for (const Router& router : routers_of(spec))
    result.push_back(
        {.name = router.name, .inputs = router.in, .hidden = router.hidden, .outputs = router.out});
  return result;
}

std::array<double, 2> LatencyReport::total_ms() const {
  std::array<double, 2> total{};
  for (const RouterLatency& router : routers) {
    total[0] += router.mult_ms;
    total[1] += router.shift_ms;
  }
  return total;
}

std::array<double, 2> LatencyReport::alpha() const {
  const auto [mult, shift] = total_ms();
  return {mult / (mult + shift), shift / (mult + shift)};
}

LatencyReport measure_latency(const ModelSpec& spec, const LatencyOptions& options) {
  validate(spec);
  if (options.batch < 1 || !(options.seconds >= 0 && std::isfinite(options.seconds)))
    throw user_error("[latency] batch is ", options.batch, ", seconds ", options.seconds,
                     ": expected batch >= 1 and seconds >= 0");
  LatencyReport report{.model = spec.name,
                       .batch = options.batch,
                       .tokens = options.batch * spec.tokens(),
                       .mult = "float32",
                       .shift = words_of(spec.shift_add),
                       .cpu = cpu_name(),
                       .isa = name_of(isa()),
                       .threads = num_threads(),
                       .repeats = 0,
                       .routers = router_widths(spec)};
  if (report.routers.empty())
    throw user_error("the network '", spec.name,
                     "' has no router: the latency of experts is measured on one whose "
                     "shift_add.blocks hold a mixture");
  const double row = static_cast<double>(spec.width), hidden = static_cast<double>(spec.mlp_hidden);
  require_memory("[latency] a layer and its tokens",
                 {{"tokens", 4.0 * static_cast<double>(report.tokens) * (2 * row + hidden),
                   "--batch, or the network's image_size and width"},
                  {"weights", 4.0 * row * hidden, "the network's width and mlp_hidden"}});
  const Tensor x = random_tensor({report.tokens, spec.width}, 3);
  std::map<std::tuple<int64_t, int64_t, int64_t>, PairTiming> known;
  for (RouterLatency& router : report.routers) {
    const auto key = std::tuple(router.inputs, router.hidden, router.outputs);
    if (!known.contains(key)) {
      const Expert mult(report.tokens, router, false, spec.shift_add);
      const Expert shift(report.tokens, router, true, spec.shift_add);
      known[key] = time_pair([&] { mult.run(x.data<float>()); },
                             [&] { shift.run(x.data<float>()); }, options.seconds);
    }
    const PairTiming& timing = known.at(key);
    router.mult_ms = timing.mult_ms;
    router.shift_ms = timing.shift_ms;
    report.repeats = report.repeats ? std::min(report.repeats, timing.repeats) : timing.repeats;
  }
  return report;
}

}  // namespace shiftadd::train
