// Writes the operations of a network as JSON or as a table.
#include <cstdarg>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "model/op_count.h"

namespace shiftadd {
namespace {

void append(std::string& text, const char* format, ...) __attribute__((format(printf, 2, 3)));
void append(std::string& text, const char* format, ...) {
  char line[256];
  va_list list;
  va_start(list, format);
  std::vsnprintf(line, sizeof line, format, list);
  va_end(list);
  text += line;
}

nlohmann::ordered_json to_json(const OpCounts& counts) {
  return {{"multiplications", counts.multiplications},
          {"additions", counts.additions},
          {"shifts", counts.shifts},
          {"other", counts.other},
          {"bytes", counts.bytes},
          {"unit_energy_mj", counts.unit_millijoules},
          {"eyeriss_energy_mj", counts.eyeriss.millijoules},
          {"eyeriss_latency_ms", counts.eyeriss.milliseconds}};
}

void append_row(std::string& text, const std::string& name, const OpCounts& counts) {
  const auto millions = [](int64_t n) { return 1e-6 * static_cast<double>(n); };
  append(text, "%-30s %10.3f %10.3f %10.3f %9.3f %9.1f %11.5f %11.5f\n", name.c_str(),
         millions(counts.multiplications), millions(counts.additions), millions(counts.shifts),
         millions(counts.other), counts.bytes / 1024, counts.unit_millijoules,
         counts.eyeriss.millijoules);
}

}  // namespace

nlohmann::ordered_json to_json(const ModelCost& cost) {
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  for (const LayerCost& layer : cost.layers) {
    nlohmann::ordered_json row = {{"name", layer.name}};
    row.update(to_json(layer.counts));
    layers.push_back(std::move(row));
  }
  return {{"layers", std::move(layers)},
          {"total", to_json(cost.total)},
          {"weight_bytes", cost.weight_bytes}};
}

std::string to_text(const ModelCost& cost) {
  std::string text;
  append(text, "%-30s %10s %10s %10s %9s %9s %11s %11s\n", "layer", "mult M", "add M", "shift M",
         "other M", "KiB", "units mJ", "Eyeriss mJ");
  for (const LayerCost& layer : cost.layers) append_row(text, layer.name, layer.counts);
  append_row(text, "total", cost.total);
  append(text, "weights as deployed: %.1f KiB\n", cost.weight_bytes / 1024);
  return text;
}

}  // namespace shiftadd
