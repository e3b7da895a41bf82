// Prints what was measured of networks layer by layer, as a table or as JSON.
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/cpu/bf16.h"
#include "core/cpu/int8.h"
#include "core/error.h"
#include "tools/bench/layers.h"
#include "tools/report/figure.h"

namespace shiftadd::tools {
namespace {

// A line of the table: the layers of each network that it stands for.
struct LayersRow {
  std::string name;
  bool part = false;                  // of the row above
  std::vector<LayerFigures> figures;  // of each network; without layers where it has none such

  // Where the last network's layer multiplies less than network `dense`'s, and yet is slower.
  bool slower_than(std::size_t dense) const {
    const LayerFigures &converted = figures.back(), &other = figures[dense];
    return !part && dense + 1 < figures.size() && converted.multiplication_free &&
           converted.ms > other.ms;
  }
};

// Rows of each block, or of each kind of layer, summed over the blocks.
std::vector<LayersRow> rows_of(const LayersTable& table, bool every_block) {
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

// "slower than in dense int8": the converted layers that are, and by how much.
nlohmann::ordered_json slower_layers(const LayersTable& table) {
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

// An unknown ceiling is a NaN, which JSON writes as null.
nlohmann::ordered_json to_json(const Timing& timing, const LayerFigures& figures) {
  return {{"ms_median", timing.median_ms},
          {"ms_p90", timing.p90_ms},
          {"ms_p99", timing.p99_ms},
          {"gop", figures.gop},
          {"gops", figures.gops()},
          {"bytes", figures.bytes},
          {"roofline_ms", figures.roofline_ms},
          {"roofline_share", figures.roofline_share()}};
}

nlohmann::ordered_json to_json(const Roofline& roofline) {
  nlohmann::ordered_json ceilings = {{"float32_gflops", roofline.float32},
                                     {"bf16_gflops", roofline.bf16},
                                     {"bf16_unit", name_of(bf16_unit())},
                                     {"int8_gops", roofline.int8},
                                     {"int8_unit", name_of(int8_unit())}};
  for (std::size_t i = 0; i < roofline.levels.size(); ++i)
    ceilings[read_key(roofline.levels[i])] = roofline.bandwidths[i];
  return ceilings;
}

nlohmann::ordered_json to_json(const LayersNetwork& network, const Roofline& roofline) {
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < network.work.size(); ++i) {
    const infer::LayerWork& work = network.work[i];
    const std::string name = work.block < network.session.spec().depth
                                 ? concat("blocks.", work.block, ".", name_of(work.part))
                                 : name_of(work.part);
    nlohmann::ordered_json layer = {{"name", name},
                                    {"multiplication_free", work.multiplication_free}};
    layer.update(to_json(network.timings[i], network.figures(i, roofline)));
    layers.push_back(std::move(layer));
  }
  nlohmann::ordered_json json = {{"name", network.name}, {"passes", network.pass.runs}};
  json.update(to_json(network.pass, network.all_figures(roofline)));
  json["layers"] = std::move(layers);
  return json;
}

// The first column is `names` wide.
void print_rows(const LayersTable& table, const std::vector<LayersRow>& rows, int names) {
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
}

void print_ceilings(const Roofline& roofline) {
  std::cout << "roof: share of the roofline, that is the time that the ceilings of one core allow, "
               "for work or bytes, over the time\n  measured. Ceilings: float32 "
            << figure(roofline.float32, 0) << " GFLOP/s, bf16 (" << name_of(bf16_unit()) << ") "
            << figure(roofline.bf16, 0) << " GFLOP/s, int8 (" << name_of(int8_unit()) << ") "
            << figure(roofline.int8, 0) << " GOP/s; reads";
  for (std::size_t i = 0; i < roofline.levels.size(); ++i)
    std::cout << (i ? ", " : " ") << roofline.levels[i].name << " "
              << figure(roofline.bandwidths[i], 0);
  std::cout << " GB/s\nKiB: weights as they lie in memory, activations in and out\n";
}

// Where the last network, without multiplications, is slower than those before it.
void print_slower(const LayersTable& table) {
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

}  // namespace

nlohmann::ordered_json to_json(const LayersTable& table) {
  nlohmann::ordered_json networks = nlohmann::ordered_json::array();
  for (const LayersNetwork& network : table.networks)
    networks.push_back(to_json(network, table.roofline));
  return {{"ceilings", to_json(table.roofline)},
          {"networks", networks},
          {"slower", slower_layers(table)}};
}

void print_layers(const LayersTable& table, bool every_block) {
  const Roofline& roofline = table.roofline;
  std::vector<LayersRow> rows = rows_of(table, every_block);
  LayersRow all = {"forward pass", false, {}};
  for (const LayersNetwork& network : table.networks)
    all.figures.push_back(network.all_figures(roofline));
  rows.push_back(all);

  std::size_t longest = 0;
  for (const LayersRow& row : rows) longest = std::max(longest, row.name.size() + 2);
  const int names = static_cast<int>(longest);
  print_rows(table, rows, names);
  for (const LayersNetwork& network : table.networks)
    std::cout << "  " << network.name << ": P50 " << figure(network.pass.median_ms, 3)
              << " ms, P90 " << figure(network.pass.p90_ms, 3) << ", P99 "
              << figure(network.pass.p99_ms, 3) << "\n";
  print_ceilings(roofline);
  if (table.networks.size() >= 3) print_slower(table);
}

}  // namespace shiftadd::tools
