// latency.json: written, read and held against a network.
#include "model/latency_report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "core/io/checksum.h"
#include "core/io/files.h"
#include "core/io/json_text.h"
#include "core/names.h"

namespace shiftadd {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

const json& member(const json& object, const char* key, const std::string& name) {
  if (!object.is_object()) throw user_error(name, ": expected an object with \"", key, "\"");
  const auto found = object.find(key);
  if (found == object.end()) throw user_error(name, ": '", key, "' is missing");
  return *found;
}

std::string text(const json& object, const char* key, const std::string& name) {
  const json& value = member(object, key, name);
  if (!value.is_string())
    throw user_error(name, ": '", key, "' is ", json_text(value), ": expected text");
  return value.get<std::string>();
}

int64_t integer(const json& object, const char* key, int64_t least, const std::string& name) {
  const json& value = member(object, key, name);
  const bool whole = value.is_number_integer() &&
                     (!value.is_number_unsigned() || value.get<uint64_t>() <= uint64_t{INT32_MAX});
  if (!whole || value.get<int64_t>() < least || value.get<int64_t>() > INT32_MAX)
    throw user_error(name, ": '", key, "' is ", json_text(value),
                     ": expected a whole number >= ", least);
  return value.get<int64_t>();
}

double latency(const json& object, const char* key, const std::string& name) {
  const json& value = member(object, key, name);
  const double ms = value.is_number() ? value.get<double>() : 0;
  if (!(ms > 0 && std::isfinite(ms)))
    throw user_error(name, ": '", key, "' is ", json_text(value), ": expected milliseconds > 0");
  return ms;
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
  ordered_json routers = ordered_json::array();
  for (const RouterLatency& router : report.routers)
    routers.push_back({{"name", router.name},
                       {"inputs", router.inputs},
                       {"hidden", router.hidden},
                       {"outputs", router.outputs},
                       {"mult_ms", router.mult_ms},
                       {"shift_ms", router.shift_ms},
                       {"mult_over_shift", router.mult_ms / router.shift_ms}});
  return {{"model", report.model},     {"batch", report.batch},
          {"tokens", report.tokens},   {"mult", report.mult},
          {"shift", report.shift},     {"cpu", report.cpu},
          {"isa", report.isa},         {"threads", report.threads},
          {"repeats", report.repeats}, {"total_ms", report.total_ms()},
          {"alpha", report.alpha()},   {"routers", routers}};
}

LatencyReport latency_from_json(const json& object, const std::string& name) {
  LatencyReport report;
  report.model = text(object, "model", name);
  report.batch = integer(object, "batch", 1, name);
  report.tokens = integer(object, "tokens", 1, name);
  report.mult = text(object, "mult", name);
  report.shift = text(object, "shift", name);
  report.cpu = text(object, "cpu", name);
  report.isa = text(object, "isa", name);
  report.threads = static_cast<int>(integer(object, "threads", 1, name));
  report.repeats = integer(object, "repeats", 1, name);
  const json& routers = member(object, "routers", name);
  if (!routers.is_array() || routers.empty())
    throw user_error(name, ": 'routers' is ", routers.is_array() ? "empty" : "no list",
                     ": expected one entry for each router");
  for (const json& router : routers) {
    const std::string own = text(router, "name", name), where = name + ": " + own;
    report.routers.push_back({.name = own,
                              .inputs = integer(router, "inputs", 1, where),
                              .hidden = integer(router, "hidden", 0, where),
                              .outputs = integer(router, "outputs", 1, where),
                              .mult_ms = latency(router, "mult_ms", where),
                              .shift_ms = latency(router, "shift_ms", where)});
  }
  return report;
}

std::string to_text(const LatencyReport& report) {
  return with_checksum(json_text(to_json(report), 2) + "\n");
}

void write_latency(const std::string& path, const LatencyReport& report) {
  write_file(path, to_text(report));
}

LatencyReport read_latency(const std::string& path, const ModelSpec& spec) {
  const json object = json::parse(read_checked_json(path), nullptr, false);
  if (object.is_discarded())
    throw user_error(path, ": is not JSON: expected what `shiftadd-bench latency` writes");
  LatencyReport report = latency_from_json(object, path);
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
