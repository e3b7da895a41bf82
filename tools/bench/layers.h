// Part of shiftadd-bench model --layers: where the time goes, layer by layer, beside the dense
// network and what the machine allows.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "infer/session.h"
#include "tools/bench/bandwidth.h"
#include "tools/bench/timer.h"

namespace shiftadd::tools {

/// The ceilings that bound a layer of the engine on one core, in 1e9 operations or bytes a second.
struct Roofline {
  double float32 = 0, bf16 = 0, int8 = 0;  // NaN: this CPU's was not measured
  std::vector<MemoryLevel> levels;
  std::vector<double> bandwidths;

  /// Time no engine on these units could undercut: its work at the peak of its arithmetic, or its
  /// bytes from the smallest level that holds them, whichever takes longer.
  double milliseconds(const StepWork& step) const;
};

/// A step, or several together.
struct LayerFigures {
  double ms = 0, roofline_ms = 0, gop = 0, bytes = 0;
  bool multiplication_free = false;  // any of them
  int64_t steps = 0;

  void add(const LayerFigures& other);
  double gops() const { return gop / (1e-3 * ms); }
  double roofline_share() const { return roofline_ms / ms; }
};

/// A network and what was measured of it: one image, one thread, processor time.
struct LayersNetwork {
  LayersNetwork(std::string its_name, infer::Session its_session)
      : name(std::move(its_name)), session(std::move(its_session)) {}

  std::string name;
  infer::Session session;
  std::vector<StepWork> work;   // of each step of session.plan()
  std::vector<Timing> timings;  // of each step
  Timing pass;                  // of all, and of what lies between them

  /// Of a step.
  LayerFigures figures(std::size_t step, const Roofline& roofline) const;
  /// Of the whole pass.
  LayerFigures all_figures(const Roofline& roofline) const;
};

struct LayersTable {
  std::vector<LayersNetwork> networks;  // dense ones; last the converted one, if any
  Roofline roofline;
};

/// Fills in what is measured. The networks take turns, so that a busy machine slows down all of
/// them alike; of each turn's two passes the first brings the network's weights back to the caches.
void time_layers(LayersTable& table, double seconds);

nlohmann::ordered_json to_json(const LayersTable& table);

/// Prints a row for each block, or for each kind of layer, summed over the blocks.
void print_layers(const LayersTable& table, bool every_block);

}  // namespace shiftadd::tools
