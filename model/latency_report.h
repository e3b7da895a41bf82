// Measured latencies of each router's two experts: what `shiftadd-bench latency` writes and the
// balance loss reads.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "model/network.h"

namespace shiftadd {

struct RouterLatency {
  std::string name;                             // as in router_names
  int64_t inputs = 0, hidden = 0, outputs = 0;  // widths of an expert; hidden 0: one linear layer
  double mult_ms = 0, shift_ms = 0;             // median, for all tokens of LatencyReport

  bool operator==(const RouterLatency&) const = default;
};

struct LatencyReport {
  std::string model;              // the network's name
  int64_t batch = 0, tokens = 0;  // images, and tokens (batch * N) each expert was given
  std::string mult, shift;        // what was timed: "float32", "int8 x 4bit, integers", ...
  std::string cpu, isa;
  int threads = 0;
  int64_t repeats = 0;  // the fewest of any expert
  std::vector<RouterLatency> routers;

  /// Mult and Shift over all routers together.
  std::array<double, 2> total_ms() const;
  /// total_ms as shares of their sum: method's alpha.
  std::array<double, 2> alpha() const;
  bool operator==(const LatencyReport&) const = default;
};

/// The routers of `spec`, in order, with the widths of their experts and no latencies yet.
std::vector<RouterLatency> router_widths(const ModelSpec& spec);

nlohmann::ordered_json to_json(const LatencyReport& report);
/// What the file holds: JSON with its checksum, and a line end.
std::string to_text(const LatencyReport& report);
/// Through AtomicFile.
void write_latency(const std::string& path, const LatencyReport& report);
/// A report for the routers of `spec`, in their order. Throws Error (user) naming the file, and the
/// line and key that is absent, unknown, of the wrong type or out of range, or the router that is
/// missing, unknown, there twice, or of other widths.
LatencyReport read_latency(const std::string& path, const ModelSpec& spec);

}  // namespace shiftadd
