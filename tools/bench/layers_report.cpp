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
  std::vector<LayerFigures> figures;  // of each network; without steps where it has none such

  // Where the last network's layer multiplies less than network `dense`'s, and yet is slower.
  bool slower_than(std::size_t dense) const {
    const LayerFigures &converted = figures.back(), &other = figures[dense];
    return !part && dense + 1 < figures.size() && converted.multiplication_free &&
           converted.ms > other.ms;
  }
};

// The layer that a step is counted with: its own name tells which of several it is.
const char* group_of(Layer layer) {
  switch (layer) {
    case Layer::kClassToken:
    case Layer::kDistillationToken:
    case Layer::kRegisters:
    case Layer::kPositions:
    case Layer::kPatches:
    case Layer::kPatchNorm:
    case Layer::kEmbeddingNorm:
      return "patches";
    case Layer::kNorm1:
      return "norm1";
    case Layer::kQkv:
    case Layer::kQ:
    case Layer::kReduction:
    case Layer::kReductionNorm:
    case Layer::kKv:
      return "qkv";
    case Layer::kAttention:
    case Layer::kLocal:
    case Layer::kTemperature:
      return "attention";
    case Layer::kProj:
    case Layer::kScale1:
      return "proj";
    case Layer::kNorm2:
      return "norm2";
    case Layer::kMlp:
    case Layer::kFc1:
    case Layer::kDepthwise:
    case Layer::kFc2:
    case Layer::kScale2:
      return "mlp";
    case Layer::kLevelNorm:
    case Layer::kNorm:
      return "norm";
    case Layer::kPool:
    case Layer::kFcNorm:
    case Layer::kPreLogits:
    case Layer::kProjection:
    case Layer::kHead:
    case Layer::kDistilledHead:
      return "head";
  }
  return "";
}

std::string prefix_of(const LayerId& layer) {
  return layer.block == LayerId::kOutside ? "" : concat("blocks.", layer.block, ".");
}

// Rows of each block, or of each kind of layer, summed over the blocks: of a layer all of its steps
// together and, where some network has several, each of them.
std::vector<LayersRow> rows_of(const LayersTable& table, bool every_block) {
  struct Group {
    LayersRow all;
    std::vector<LayersRow> parts;
  };
  std::vector<Group> groups;
  const std::size_t count = table.networks.size();
  const auto row_in = [&](std::vector<LayersRow>& rows, const std::string& name) -> LayersRow& {
    for (LayersRow& row : rows)
      if (row.name == name) return row;
    return rows.emplace_back(LayersRow{name, true, std::vector<LayerFigures>(count)});
  };
  const auto group_in = [&](const std::string& name) -> Group& {
    for (Group& group : groups)
      if (group.all.name == name) return group;
    return groups.emplace_back(Group{{name, false, std::vector<LayerFigures>(count)}, {}});
  };
  for (std::size_t n = 0; n < count; ++n) {
    const LayersNetwork& network = table.networks[n];
    const std::vector<Step>& steps = network.session.plan().steps;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const std::string prefix = every_block ? prefix_of(steps[i].layer) : "";
      const LayerFigures figures = network.figures(i, table.roofline);
      Group& group = group_in(prefix + group_of(steps[i].layer.layer));
      group.all.figures[n].add(figures);
      row_in(group.parts, prefix + steps[i].name).figures[n].add(figures);
    }
  }
  std::vector<LayersRow> rows;
  for (Group& group : groups) {
    rows.push_back(std::move(group.all));
    if (group.parts.size() > 1) rows.insert(rows.end(), group.parts.begin(), group.parts.end());
  }
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
    const Step& step = network.session.plan().steps[i];
    nlohmann::ordered_json layer = {{"name", prefix_of(step.layer) + step.name},
                                    {"multiplication_free", network.work[i].multiplication_free}};
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
      std::cout << std::setw(9) << (each.steps ? figure(each.ms, 3) : "") << std::setw(8)
                << (each.gop > 0 ? figure(each.gops(), 0) : "") << std::setw(7)
                << (each.steps ? figure(100 * each.roofline_share(), 0, "%") : "") << std::setw(8)
                << (each.steps ? figure(each.bytes / 1024, 0) : "");
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
