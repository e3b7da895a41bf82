// Writes latency.json, reads it, and holds it against a network.
#include "model/latency_report.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>

#include "core/config/options.h"
#include "core/io/checksum.h"
#include "core/io/files.h"
#include "core/io/json_text.h"
#include "core/names.h"

namespace shiftadd {
namespace {

using Range = ConfigRange;

// A figure that follows from others: written, and of no use when read.
void list_pair(ConfigVisitor& v, const char* key, const std::array<double, 2>& pair,
               const char* about) {
  std::vector<double> copy(pair.begin(), pair.end());
  v.tuple(key, copy, Range::any(), about);
}

void list_router(ConfigVisitor& v, RouterLatency& router) {
  v.text("name", router.name, "Of the layer.");
  v.integer("inputs", router.inputs, Range::between(1, INT32_MAX), "Channels of a token.");
  v.integer("hidden", router.hidden, Range::between(0, INT32_MAX), "0: one linear layer.");
  v.integer("outputs", router.outputs, Range::between(1, INT32_MAX), "Channels of a result.");
  v.number("mult_ms", router.mult_ms, Range::above(0), "Median of Mult, for all tokens.");
  v.number("shift_ms", router.shift_ms, Range::above(0), "Median of Shift, for all tokens.");
  double ratio = router.mult_ms / router.shift_ms;
  v.number("mult_over_shift", ratio, Range::any(), "mult_ms / shift_ms.");
}

void list_report(ConfigVisitor& v, LatencyReport& report) {
  const Range positive = Range::between(1, INT32_MAX);
  v.text("model", report.model, "The network's name.");
  v.integer("batch", report.batch, positive, "Images.");
  v.integer("tokens", report.tokens, positive, "Tokens each expert was given.");
  v.text("mult", report.mult, "What Mult was timed in.");
  v.text("shift", report.shift, "What Shift was timed in.");
  v.text("cpu", report.cpu, "Name of the CPU.");
  v.text("isa", report.isa, "Instruction set.");
  list_integer(v, "threads", report.threads, positive, "That computed.");
  v.integer("repeats", report.repeats, positive, "The fewest of any expert.");
  list_pair(v, "total_ms", report.total_ms(), "Mult and Shift over all routers together.");
  list_pair(v, "alpha", report.alpha(), "total_ms as shares of their sum.");
  list_objects(v, "routers", report.routers, "One for each router of the network.", list_router);
}

LatencyReport parse_latency(std::string_view text, const std::string& source) {
  ConfigNode root = parse_config_node(text, source);
  std::erase_if(root.members,
                [](const ConfigMember& member) { return member.key == "shiftadd.checksum"; });
  LatencyReport report;
  const ConfigReader reader =
      read_options(root, report, list_report, ConfigReader::Absent::kRefused);
  if (report.routers.empty())
    reader.fail("routers", "is empty: expected one entry for each router");
  return report;
}

}  // namespace

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

std::vector<RouterLatency> router_widths(const ModelSpec& spec) {
  std::vector<RouterLatency> result;
  for (const Router& router : routers_of(spec))
    result.push_back(
        {.name = router.name, .inputs = router.in, .hidden = router.hidden, .outputs = router.out});
  return result;
}

nlohmann::ordered_json to_json(const LatencyReport& report) {
  LatencyReport copy = report;
  return config_json([&](ConfigVisitor& v) { list_report(v, copy); });
}

std::string to_text(const LatencyReport& report) {
  return with_checksum(json_text(to_json(report), 2) + "\n");
}

void write_latency(const std::string& path, const LatencyReport& report) {
  write_file(path, to_text(report));
}

LatencyReport read_latency(const std::string& path, const ModelSpec& spec) {
  LatencyReport report = parse_latency(read_checked_json(path), path);
  std::vector<RouterLatency> found;
  const std::vector<std::string> wanted = router_names(spec);
  std::set<std::string> seen;
  for (const RouterLatency& router : report.routers) {
    if (std::find(wanted.begin(), wanted.end(), router.name) == wanted.end())
      throw user_error(path, ": the network has no router '", router.name, "'",
                       did_you_mean(router.name, wanted),
                       ": measure this network with `shiftadd-bench latency`");
    if (!seen.insert(router.name).second)
      throw user_error(path, ": the router '", router.name, "' is there twice");
  }
  for (RouterLatency& router : router_widths(spec)) {
    const auto own = std::find_if(report.routers.begin(), report.routers.end(),
                                  [&](const auto& each) { return each.name == router.name; });
    if (own == report.routers.end())
      throw user_error(path, ": the router '", router.name,
                       "' is missing: measure this network with `shiftadd-bench latency`");
    if (own->inputs != router.inputs || own->hidden != router.hidden ||
        own->outputs != router.outputs)
      throw user_error(path, ": the experts of '", router.name, "' are ",
                       Shape{own->inputs, own->hidden, own->outputs}, " wide there, ",
                       Shape{router.inputs, router.hidden, router.outputs},
                       " in this network (inputs, hidden, outputs)");
    found.push_back(*own);
  }
  report.routers = std::move(found);
  return report;
}

}  // namespace shiftadd
