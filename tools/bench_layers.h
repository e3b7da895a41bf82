// shiftadd-bench model --layers: where the time goes, layer by layer, beside the dense network and
// what the machine allows.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "core/cpu/bf16.h"
#include "core/cpu/int8.h"
#include "core/cpu/isa.h"
#include "infer/routing_counts.h"
#include "infer/session.h"
#include "infer/weights.h"
#include "tools/bench_bandwidth.h"
#include "tools/bench_operands.h"
#include "tools/bench_peak.h"
#include "tools/bench_timer.h"

namespace shiftadd::tools {

/// The ceilings that bound a layer of the engine on one core, in 1e9 operations or bytes a second.
struct Roofline {
  double float32 = 0, bf16 = 0, int8 = 0;  // NaN: this CPU's was not measured
  std::vector<MemoryLevel> levels;
  std::vector<double> bandwidths;

  /// Time no engine on these units could undercut: its work at the peak of its arithmetic, or its
  /// bytes from the smallest level that holds them, whichever takes longer.
  double milliseconds(const infer::LayerWork& layer) const {
    std::size_t level = 0;
    while (layer.bytes > levels[level].bytes) ++level;
    const auto ms = [](int64_t amount, double rate) {
      return amount ? 1e-6 * static_cast<double>(amount) / rate : 0;
    };
    const double work = ms(2 * layer.float_terms, float32) + ms(2 * layer.bf16_terms, bf16) +
                        ms(2 * layer.integer_terms, int8);
    const double bytes = ms(layer.bytes, bandwidths[level]);
    return std::isnan(work) ? work : std::max(work, bytes);
  }
};

inline Roofline measure_roofline(double seconds) {
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
  for (std::size_t i = 0; i < roofline.levels.size(); ++i)
    roofline.bandwidths.push_back(read_bandwidth(roofline.levels, i, plan));
  return roofline;
}

/// A layer, or several together.
struct LayerFigures {
  double ms = 0, roofline_ms = 0, gop = 0, bytes = 0;
  bool multiplication_free = false;  // any of them
  int64_t layers = 0;

  void add(const LayerFigures& other) {
    ms += other.ms;
    roofline_ms += other.roofline_ms;
    gop += other.gop;
    bytes += other.bytes;
    multiplication_free = multiplication_free || other.multiplication_free;
    layers += other.layers;
  }
  double gops() const { return gop / (1e-3 * ms); }
  double roofline_share() const { return roofline_ms / ms; }
};

/// A network and what was measured of it: one image, one thread, processor time.
struct LayersNetwork {
  LayersNetwork(std::string its_name, infer::Session its_session)
      : name(std::move(its_name)), session(std::move(its_session)) {}

  std::string name;
  infer::Session session;
  std::vector<infer::LayerWork> work;
  std::vector<Timing> timings;  // of each layer
  Timing pass;                  // of all, and of what lies between them

  // Of `layer` of `work`.
  LayerFigures figures(std::size_t layer, const Roofline& roofline) const {
    const infer::LayerWork& its = work[layer];
    return {.ms = timings[layer].median_ms,
            .roofline_ms = roofline.milliseconds(its),
            .gop = 2e-9 * static_cast<double>(its.terms()),
            .bytes = static_cast<double>(its.bytes),
            .multiplication_free = its.multiplication_free,
            .layers = 1};
  }
  LayerFigures all_figures(const Roofline& roofline) const {
    LayerFigures sum;
    for (std::size_t i = 0; i < work.size(); ++i) sum.add(figures(i, roofline));
    sum.ms = pass.median_ms;
    return sum;
  }
};

struct LayersTable {
  std::vector<LayersNetwork> networks;  // dense ones; last the converted one, if any
  Roofline roofline;
};

/// The shares of tokens that the routers send to Shift, which the work of their experts depends on.
inline std::vector<double> shift_shares(infer::Session& session, const Tensor& image) {
  const ModelSpec& spec = session.spec();
  infer::RoutingCounts counts(session.routers(), spec.tokens());
  std::vector<uint8_t> choices(session.routers().size() * spec.tokens());
  const Tensor logits({1, spec.classes});
  session.run(image.data<float>(), 1, logits.data<float>(), choices.data());
  counts.add(choices.data());
  std::vector<double> shares;
  for (const auto& router : counts.rows()) shares.push_back(router.shift_share());
  return shares;
}

/// Fills in what is measured. The networks take turns, so that a busy machine slows down all of
/// them alike; of each turn's two passes the first brings the network's weights back to the caches.
inline void time_layers(LayersTable& table, double seconds) {
  table.roofline = measure_roofline(std::min(seconds, 0.5));
  std::vector<LayersNetwork>& networks = table.networks;
  const ModelSpec& spec = networks[0].session.spec();
  const Tensor image = random_floats({1, spec.in_channels, spec.image_size, spec.image_size}, 1);
  const Tensor logits({1, spec.classes});
  struct Samples {
    std::vector<std::vector<double>> layers;  // milliseconds
    std::vector<double> pass;
  };
  std::vector<Samples> samples(networks.size());
  for (std::size_t n = 0; n < networks.size(); ++n) {
    networks[n].work = networks[n].session.layer_work(shift_shares(networks[n].session, image));
    samples[n].layers.resize(networks[n].work.size());
  }
  constexpr int kLeastTurns = 10;
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  for (int turn = 0; turn < kLeastTurns || Clock::now() < end; ++turn)
    for (std::size_t n = 0; n < networks.size(); ++n) {
      infer::Session& session = networks[n].session;
      session.run(image.data<float>(), 1, logits.data<float>());
      infer::LayerTimes times;
      session.set_layer_times(&times);
      const double start = infer::thread_seconds();
      session.run(image.data<float>(), 1, logits.data<float>());
      samples[n].pass.push_back(1e3 * (infer::thread_seconds() - start));
      session.set_layer_times(nullptr);
      for (std::size_t i = 0; i < networks[n].work.size(); ++i) {
        const infer::LayerWork& layer = networks[n].work[i];
        samples[n].layers[i].push_back(1e3 *
                                       times[static_cast<std::size_t>(layer.block)].of(layer.part));
      }
    }
  for (std::size_t n = 0; n < networks.size(); ++n) {
    for (auto& layer : samples[n].layers)
      networks[n].timings.push_back(summarise(std::move(layer)));
    networks[n].pass = summarise(std::move(samples[n].pass));
  }
}

/// A line of the table: the layers of each network that it stands for.
struct LayersRow {
  std::string name;
  bool part = false;                  // of the row above
  std::vector<LayerFigures> figures;  // of each network; without layers where it has none such

  /// Where the last network's layer multiplies less than network `dense`'s, and yet is slower.
  bool slower_than(std::size_t dense) const {
    const LayerFigures &converted = figures.back(), &other = figures[dense];
    return !part && dense + 1 < figures.size() && converted.multiplication_free &&
           converted.ms > other.ms;
  }
};

/// Rows of each block, or of each kind of layer, summed over the blocks.
inline std::vector<LayersRow> rows_of(const LayersTable& table, bool every_block) {
  using infer::LayerPart;
  const std::vector<LayersNetwork>& networks = table.networks;
  const int64_t outside = networks[0].session.spec().depth;
  std::vector<LayersRow> rows;
  const auto add = [&](std::string name, int64_t block, LayerPart first, LayerPart last,
                       bool part = false) {
    LayersRow row = {std::move(name), part, std::vector<LayerFigures>(networks.size())};
    bool any = false;
    for (std::size_t n = 0; n < networks.size(); ++n) {
      const auto& work = networks[n].work;
      for (std::size_t i = 0; i < work.size(); ++i)
        if (work[i].part >= first && work[i].part <= last &&
            (block == work[i].block || (!every_block && work[i].block != outside))) {
          row.figures[n].add(networks[n].figures(i, table.roofline));
          any = true;
        }
    }
    if (any) rows.push_back(std::move(row));
  };
  const auto add_outside = [&](LayerPart part) { add(name_of(part), outside, part, part); };
  add_outside(LayerPart::kPatches);
  for (int64_t block = 0; block < (every_block ? outside : 1); ++block) {
    const std::string prefix = every_block ? concat("blocks.", block, ".") : "";
    for (auto part = LayerPart::kNorm1; part <= LayerPart::kShiftExpert;
         part = static_cast<LayerPart>(static_cast<int>(part) + 1)) {
      if (part == LayerPart::kFc1) add(prefix + "mlp", block, part, LayerPart::kShiftExpert);
      add(prefix + name_of(part), block, part, part, part >= LayerPart::kFc1);
    }
  }
  add_outside(LayerPart::kNorm);
  add_outside(LayerPart::kHead);
  return rows;
}

/// "slower than in dense int8": the converted layers that are, and by how much.
inline nlohmann::ordered_json slower_layers(const LayersTable& table) {
  nlohmann::ordered_json slower = nlohmann::ordered_json::array();
  const std::vector<LayersRow> rows = rows_of(table, false);
  for (std::size_t dense = 0; dense + 1 < table.networks.size(); ++dense)
    for (const LayersRow& row : rows)
      if (row.slower_than(dense))
        slower.push_back({{"layer", row.name},
                          {"network", table.networks[dense].name},
                          {"by_ms", row.figures.back().ms - row.figures[dense].ms}});
  return slower;
}

inline nlohmann::ordered_json to_json(const LayersTable& table) {
  // An unknown ceiling is a NaN, which JSON writes as null.
  const auto json_of = [](const Timing& timing, const LayerFigures& figures) {
    return nlohmann::ordered_json{{"ms_median", timing.median_ms},
                                  {"ms_p90", timing.p90_ms},
                                  {"ms_p99", timing.p99_ms},
                                  {"gop", figures.gop},
                                  {"gops", figures.gops()},
                                  {"bytes", figures.bytes},
                                  {"roofline_ms", figures.roofline_ms},
                                  {"roofline_share", figures.roofline_share()}};
  };
  const Roofline& roofline = table.roofline;
  nlohmann::ordered_json ceilings = {{"float32_gflops", roofline.float32},
                                     {"bf16_gflops", roofline.bf16},
                                     {"bf16_unit", name_of(bf16_unit())},
                                     {"int8_gops", roofline.int8},
                                     {"int8_unit", name_of(int8_unit())}};
  for (std::size_t i = 0; i < roofline.levels.size(); ++i)
    ceilings[concat("read_", roofline.levels[i].name, "_gb_per_s")] = roofline.bandwidths[i];
  nlohmann::ordered_json networks = nlohmann::ordered_json::array();
  for (const LayersNetwork& network : table.networks) {
    nlohmann::ordered_json layers = nlohmann::ordered_json::array();
    for (std::size_t i = 0; i < network.work.size(); ++i) {
      const infer::LayerWork& work = network.work[i];
      const std::string name = work.block < network.session.spec().depth
                                   ? concat("blocks.", work.block, ".", name_of(work.part))
                                   : name_of(work.part);
      nlohmann::ordered_json layer = {{"name", name},
                                      {"multiplication_free", work.multiplication_free}};
      layer.update(json_of(network.timings[i], network.figures(i, roofline)));
      layers.push_back(std::move(layer));
    }
    nlohmann::ordered_json json = {{"name", network.name}, {"passes", network.pass.runs}};
    json.update(json_of(network.pass, network.all_figures(roofline)));
    json["layers"] = std::move(layers);
    networks.push_back(std::move(json));
  }
  return {{"ceilings", ceilings}, {"networks", networks}, {"slower", slower_layers(table)}};
}

/// `digits` behind the point; "-" for what is not known.
inline std::string figure(double value, int digits, const char* unit = "") {
  if (!std::isfinite(value)) return "-";
  std::ostringstream text;
  text << std::fixed << std::setprecision(digits) << value << unit;
  return text.str();
}

inline void print_layers(const LayersTable& table, bool every_block) {
  const Roofline& roofline = table.roofline;
  std::vector<LayersRow> rows = rows_of(table, every_block);
  LayersRow all = {"forward pass", false, {}};
  for (const LayersNetwork& network : table.networks)
    all.figures.push_back(network.all_figures(roofline));
  rows.push_back(all);

  std::size_t longest = 0;
  for (const LayersRow& row : rows) longest = std::max(longest, row.name.size() + 2);
  const int names = static_cast<int>(longest);
  std::cout << "\nProcessor time of each layer, median of " << table.networks[0].pass.runs
            << " passes of one image in turn\n"
            << std::setw(names) << "";
  for (const LayersNetwork& network : table.networks)
    std::cout << "  " << std::left << std::setw(30) << network.name << std::right;
  std::cout << "\n" << std::left << std::setw(names) << "layer" << std::right;
  for (std::size_t n = 0; n < table.networks.size(); ++n)
    std::cout << std::setw(9) << "ms" << std::setw(8) << "GOP/s" << std::setw(7) << "roof"
              << std::setw(8) << "KiB";
  for (const LayersRow& row : rows) {
    std::cout << "\n"
              << std::left << std::setw(names) << (row.part ? "  " : "") + row.name << std::right;
    for (const LayerFigures& each : row.figures) {
      std::cout << std::setw(9) << (each.layers ? figure(each.ms, 3) : "") << std::setw(8)
                << (each.gop > 0 ? figure(each.gops(), 0) : "") << std::setw(7)
                << (each.layers ? figure(100 * each.roofline_share(), 0, "%") : "") << std::setw(8)
                << (each.layers ? figure(each.bytes / 1024, 0) : "");
    }
    for (std::size_t dense = 0; dense + 1 < row.figures.size(); ++dense)
      if (row.slower_than(dense)) std::cout << " slower than " << table.networks[dense].name;
  }
  std::cout << "\n";
  for (const LayersNetwork& network : table.networks)
    std::cout << "  " << network.name << ": P50 " << figure(network.pass.median_ms, 3)
              << " ms, P90 " << figure(network.pass.p90_ms, 3) << ", P99 "
              << figure(network.pass.p99_ms, 3) << "\n";
  std::cout << "roof: share of the roofline, that is the time that the ceilings of one core allow, "
               "for work or bytes, over the time\n  measured. Ceilings: float32 "
            << figure(roofline.float32, 0) << " GFLOP/s, bf16 (" << name_of(bf16_unit()) << ") "
            << figure(roofline.bf16, 0) << " GFLOP/s, int8 (" << name_of(int8_unit()) << ") "
            << figure(roofline.int8, 0) << " GOP/s; reads";
  for (std::size_t i = 0; i < roofline.levels.size(); ++i)
    std::cout << (i ? ", " : " ") << roofline.levels[i].name << " "
              << figure(roofline.bandwidths[i], 0);
  std::cout << " GB/s\nKiB: weights as they lie in memory, activations in and out\n";
  if (table.networks.size() < 3) return;
  const nlohmann::ordered_json slower = slower_layers(table);
  for (std::size_t dense = 0; dense + 1 < table.networks.size(); ++dense) {
    const std::string& name = table.networks[dense].name;
    double sum = 0;
    std::string list;
    for (const auto& each : slower) {
      if (each["network"] != name) continue;
      sum += each["by_ms"].get<double>();
      list += concat(list.empty() ? "" : ", ", each["layer"].get<std::string>(), " by ",
                     figure(each["by_ms"].get<double>(), 3), " ms");
    }
    std::cout << (list.empty()
                      ? concat("No multiplication-free layer is slower than that of ", name)
                      : concat("SLOWER without multiplications than ", name, ": ", list,
                               "; together ", figure(sum, 3), " ms"))
              << "\n";
  }
}

}  // namespace shiftadd::tools
