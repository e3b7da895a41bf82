// Times the experts of a loaded network's mixtures, each pair in turns.
#include "infer/latency_probe.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <tuple>

#include "core/cpu/cpu_name.h"
#include "core/cpu/isa.h"
#include "core/median.h"
#include "core/memory_limit.h"
#include "core/parallel.h"
#include "core/random.h"
#include "infer/mlp.h"
#include "infer/weights.h"

namespace shiftadd::infer {
namespace {

constexpr int kWarmUp = 5;
constexpr std::size_t kMinRuns = 15, kMaxRuns = 100'000;

Tensor random_tokens(int64_t tokens, int64_t width) {
  const Tensor result({tokens, width});
  const RandomStream random(0, 3);
  for (int64_t i = 0; i < result.numel(); ++i)
    result.data<float>()[i] = 2 * random.uniform(static_cast<uint64_t>(i)) - 1;
  return result;
}

// Tokens of one router, and what its experts need to run on all of them.
class Workplace {
 public:
  Workplace(int64_t tokens, const RouterLatency& router)
      : tokens_(tokens),
        widest_(std::max(router.inputs, router.hidden)),
        x_(random_tokens(tokens, router.inputs)),
        y_({tokens, router.outputs}),
        hidden_({tokens, router.hidden}),
        gated_({tokens, router.hidden}),
        input_({tokens, router.inputs}, DType::kI8),
        integers_({tokens, widest_}, DType::kI8),
        input_scales_({tokens}),
        scales_({tokens}),
        order_(static_cast<std::size_t>(tokens)) {
    std::iota(order_.begin(), order_.end(), 0);
    kernels<float>().quantize_tokens({tokens, router.inputs, x_.data<float>(),
                                      input_scales_.data<float>(), nullptr, nullptr,
                                      input_.data<int8_t>()});
  }

  // As the engine's step Experts. What rounds its input does so in place: to the same numbers each
  // time.
  void run(const Linear& expert) { apply(expert, x_.data<float>(), tokens_, y(), scratch(0)); }
  void run(const MlpLayers& expert, bool by_index) {
    if (!by_index) return run_mlp(expert, x_.data<float>(), tokens_, y(), nullptr, mlp_scratch(0));
    const QuantizedRows input = {input_.data<int8_t>(), input_scales_.data<float>()};
    parallel_chunks(tokens_, kExpertRows, [&](int64_t begin, int64_t end) {
      run_expert(expert, input, order_.data() + begin, end - begin, y() + begin * y_.dim(1),
                 mlp_scratch(begin));
    });
  }

 private:
  float* y() const { return y_.data<float>(); }
  MlpScratch mlp_scratch(int64_t row) const {
    const int64_t begin = row * hidden_.dim(1);
    return {hidden_.data<float>() + begin, gated_.data<float>() + begin, scratch(row)};
  }
  LinearScratch scratch(int64_t row) const {
    return {{integers_.data<int8_t>() + row * widest_, scales_.data<float>() + row},
            x_.data<float>()};
  }

  int64_t tokens_, widest_;
  Tensor x_, y_, hidden_, gated_, input_, integers_, input_scales_, scales_;
  std::vector<int32_t> order_;
};

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

// The step of the plan that runs the experts of router `index`.
const Experts& experts_of(const Plan& plan, int64_t index) {
  for (const Step& step : plan.steps)
    if (const auto* experts = std::get_if<Experts>(&step.operation);
        experts && experts->index == index)
      return *experts;
  throw failure("[latency] the plan has no router ", index);
}

PairTiming time_experts(const Experts& experts, const Weights& weights, Workplace& place,
                        double seconds) {
  const auto matrix = [&](MatrixId id) -> const Linear& {
    return weights.matrices[static_cast<std::size_t>(id)];
  };
  if (!experts.is_mlp())
    return time_pair([&] { place.run(matrix(experts.fc1[kMultExpert])); },
                     [&] { place.run(matrix(experts.fc1[kShiftExpert])); }, seconds);
  const auto mlp = [&](int expert) {
    return MlpLayers{matrix(experts.fc1[expert]), matrix(experts.fc2[expert]), experts.activation};
  };
  const bool by_index = mlp(kMultExpert).in_integers() && mlp(kShiftExpert).in_integers();
  return time_pair([&] { place.run(mlp(kMultExpert), by_index); },
                   [&] { place.run(mlp(kShiftExpert), by_index); }, seconds);
}

std::string shift_words(const ShiftAddSpec& options) {
  if (options.int8_activations && options.format == ShiftFormat::k4Bit)
    return "int8 x 4bit, integers";
  return concat("float32 product of ", options.int8_activations ? "int8" : "float", " x ",
                name_of(options.format));
}

void require_tokens_memory(const std::vector<RouterLatency>& routers, int64_t tokens) {
  double widths = 0;
  for (const RouterLatency& router : routers)
    widths = std::max(widths, static_cast<double>(router.inputs + router.outputs + router.hidden));
  require_memory("[latency] the tokens of a layer",
                 {{"tokens", 5.0 * static_cast<double>(tokens) * widths,
                   "--batch, or the network's image_size and width"}});
}

// Experts do not depend on the codes of attention: a network that cannot be deployed for its codes
// may still be trained, with latencies that were measured.
ModelFile packed(ModelFile model, const PackSpec& pack) {
  if (model.spec.shift_add.codes == Codes::kUnitBatch) model.spec.shift_add.codes = Codes::kSign;
  return model.pack ? std::move(model) : pack_model(model, pack);
}

}  // namespace

LatencyReport measure_latency(const ModelFile& given, const LatencyOptions& options) {
  const ModelSpec& spec = given.spec;
  validate(spec);
  if (options.batch < 1 || !(options.seconds >= 0 && std::isfinite(options.seconds)))
    throw user_error("[latency] batch is ", options.batch, ", seconds ", options.seconds,
                     ": expected batch >= 1 and seconds >= 0");
  const PackSpec pack = given.pack.value_or(options.pack);
  LatencyReport report{.model = spec.name,
                       .batch = options.batch,
                       .tokens = options.batch * spec.tokens(),
                       .mult = name_of(pack.multiply),
                       .shift = shift_words(spec.shift_add),
                       .cpu = cpu_name(),
                       .isa = name_of(isa()),
                       .threads = num_threads(),
                       .repeats = 0,
                       .routers = router_widths(spec)};
  if (report.routers.empty())
    throw user_error("the network '", spec.name,
                     "' has no router: the latency of experts is measured on one whose "
                     "shift_add.blocks hold a mixture");
  require_tokens_memory(report.routers, report.tokens);
  ModelFile model = packed(given, options.pack);
  const Network network = network_of(model.spec);
  const Plan plan = plan_of(network, pack, false);
  const Weights weights(network, pack, plan, std::move(model.weights));
  std::map<std::tuple<int64_t, int64_t, int64_t>, PairTiming> known;
  for (std::size_t i = 0; i < report.routers.size(); ++i) {
    RouterLatency& latency = report.routers[i];
    const auto sizes = std::tuple(latency.inputs, latency.hidden, latency.outputs);
    if (!known.contains(sizes)) {
      Workplace place(report.tokens, latency);
      known[sizes] =
          time_experts(experts_of(plan, static_cast<int64_t>(i)), weights, place, options.seconds);
    }
    const PairTiming& timing = known.at(sizes);
    latency.mult_ms = timing.mult_ms;
    latency.shift_ms = timing.shift_ms;
    report.repeats = report.repeats ? std::min(report.repeats, timing.repeats) : timing.repeats;
  }
  return report;
}

}  // namespace shiftadd::infer
