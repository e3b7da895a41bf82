// Measures the layers of networks and the ceilings that bound them.
#include "tools/bench/layers.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "core/cpu/bf16.h"
#include "core/cpu/int8.h"
#include "core/cpu/isa.h"
#include "core/thread_seconds.h"
#include "infer/routing_counts.h"
#include "tools/bench/operands.h"
#include "tools/bench/peak.h"

namespace shiftadd::tools {
namespace {

Roofline measure_roofline(double seconds) {
  const PeakPlan plan = {.seconds = seconds};
  const auto known = [](double peak) {
    return peak > 0 ? peak : std::numeric_limits<double>::quiet_NaN();
  };
  Roofline roofline = {.float32 = known(peak_gflops(isa(), plan)),
                       .bf16 = known(bf16_unit() == Bf16Unit::kAmx ? peak_bf16_tile_gflops(plan)
                                     : bf16_unit() == Bf16Unit::kAvx512 ? peak_bf16_gflops(plan)
                                                                        : 0),
                       .int8 = known(int8_unit() == Int8Unit::kAmx    ? peak_int8_tile_gops(plan)
                                     : int8_unit() == Int8Unit::kVnni ? peak_int8_gops(plan)
                                                                      : 0),
                       .levels = memory_levels(),
                       .bandwidths = {}};
  roofline.bandwidths = read_bandwidths(roofline.levels, plan);
  return roofline;
}

// The shares of tokens that the routers send to Shift, which the work of their experts depends on.
std::vector<double> shift_shares(infer::Session& session, const Tensor& image) {
  infer::RoutingCounts counts(session.routers());
  std::vector<uint8_t> choices(static_cast<std::size_t>(routed_tokens(session.routers())));
  const Tensor logits({1, session.outputs()});
  session.run(image.data<float>(), 1, logits.data<float>(), choices.data());
  counts.add(choices.data());
  std::vector<double> shares;
  for (const auto& router : counts.rows()) shares.push_back(router.shift_share());
  return shares;
}

}  // namespace

double Roofline::milliseconds(const StepWork& step) const {
  std::size_t level = 0;
  while (step.bytes > levels[level].bytes) ++level;
  const auto ms = [](int64_t amount, double rate) {
    return amount ? 1e-6 * static_cast<double>(amount) / rate : 0;
  };
  const double work = ms(2 * step.float_terms, float32) + ms(2 * step.bf16_terms, bf16) +
                      ms(2 * step.integer_terms, int8);
  const double bytes = ms(step.bytes, bandwidths[level]);
  return std::isnan(work) ? work : std::max(work, bytes);
}

void LayerFigures::add(const LayerFigures& other) {
  ms += other.ms;
  roofline_ms += other.roofline_ms;
  gop += other.gop;
  bytes += other.bytes;
  multiplication_free = multiplication_free || other.multiplication_free;
  steps += other.steps;
}

LayerFigures LayersNetwork::figures(std::size_t step, const Roofline& roofline) const {
  const StepWork& its = work[step];
  return {.ms = timings[step].median_ms,
          .roofline_ms = roofline.milliseconds(its),
          .gop = 2e-9 * static_cast<double>(its.terms()),
          .bytes = static_cast<double>(its.bytes),
          .multiplication_free = its.multiplication_free,
          .steps = 1};
}

LayerFigures LayersNetwork::all_figures(const Roofline& roofline) const {
  LayerFigures sum;
  for (std::size_t i = 0; i < work.size(); ++i) sum.add(figures(i, roofline));
  sum.ms = pass.median_ms;
  return sum;
}

void time_layers(LayersTable& table, double seconds) {
  table.roofline = measure_roofline(std::min(seconds, 0.5));
  std::vector<LayersNetwork>& networks = table.networks;
  const ModelSpec& spec = networks[0].session.spec();
  const Tensor image = random_floats(spec.batch_shape(1), 1);
  const Tensor logits({1, networks[0].session.outputs()});
  struct Samples {
    std::vector<std::vector<double>> steps;  // milliseconds
    std::vector<double> pass;
  };
  std::vector<Samples> samples(networks.size());
  for (std::size_t n = 0; n < networks.size(); ++n) {
    const Plan& plan = networks[n].session.plan();
    const std::vector<double> shares = shift_shares(networks[n].session, image);
    for (const Step& step : plan.steps) networks[n].work.push_back(work_of(plan, step, shares));
    samples[n].steps.resize(plan.steps.size());
  }
  constexpr int kLeastTurns = 10;
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  for (int turn = 0; turn < kLeastTurns || Clock::now() < end; ++turn)
    for (std::size_t n = 0; n < networks.size(); ++n) {
      infer::Session& session = networks[n].session;
      session.run(image.data<float>(), 1, logits.data<float>());
      std::vector<double> seconds;
      session.time_steps(&seconds);
      const double start = thread_seconds();
      session.run(image.data<float>(), 1, logits.data<float>());
      samples[n].pass.push_back(1e3 * (thread_seconds() - start));
      session.time_steps(nullptr);
      for (std::size_t i = 0; i < seconds.size(); ++i)
        samples[n].steps[i].push_back(1e3 * seconds[i]);
    }
  for (std::size_t n = 0; n < networks.size(); ++n) {
    for (auto& step : samples[n].steps) networks[n].timings.push_back(summarise(std::move(step)));
    networks[n].pass = summarise(std::move(samples[n].pass));
  }
}

}  // namespace shiftadd::tools
