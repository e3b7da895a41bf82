// Adds a layer's operations, bytes and energy to those of its network.
#include "model/cost_ledger.h"

namespace shiftadd {

OpCounts& OpCounts::operator+=(const OpCounts& more) {
  multiplications += more.multiplications;
  additions += more.additions;
  shifts += more.shifts;
  other += more.other;
  bytes += more.bytes;
  unit_millijoules += more.unit_millijoules;
  eyeriss.millijoules += more.eyeriss.millijoules;
  eyeriss.milliseconds += more.eyeriss.milliseconds;
  return *this;
}

void CostLedger::add(const std::string& name, const OpCounts& counts) {
  if (cost_.layers.empty() || cost_.layers.back().name != name) cost_.layers.push_back({name, {}});
  cost_.layers.back().counts += counts;
  cost_.total += counts;
}

void CostLedger::other(const std::string& name, int64_t values, double bytes) {
  OpCounts counts;
  counts.other = values;
  counts.bytes = bytes;
  add(name, counts);
}

EnergyEstimate CostLedger::energy_of(const LoopNest& nest) {
  if (nest.kind == StepKind::kAdd && miscounts_.every_add_as_the_first) {
    if (!first_add_) first_add_ = nest;
    return cached(*first_add_);
  }
  return cached(nest);
}

// Networks repeat their layers, and the search is long.
EnergyEstimate CostLedger::cached(const LoopNest& nest) {
  const auto [found, missing] = energies_.try_emplace(nest);
  if (missing) found->second = eyeriss_energy(nest);
  return found->second;
}

void CostLedger::product(const std::string& name, const LoopNest& nest, const StepEnergy& unit,
                         double bytes) {
  constexpr double kMostSteps = 9e18;
  steps_ += as_double(nest.batch) * as_double(nest.in) * as_double(nest.out) *
            as_double(nest.out_height) * as_double(nest.out_width) *
            as_double(nest.kernel * nest.kernel);
  if (steps_ > kMostSteps)
    throw user_error("[count] one image takes more than ", kMostSteps,
                     " operations: lower the network's image_size, width or depth");
  OpCounts counts;
  const int64_t steps = nest.batch * nest.in * nest.out * nest.out_height * nest.out_width *
                        nest.kernel * nest.kernel;
  counts.additions = steps;
  if (nest.kind == StepKind::kMultiply) counts.multiplications = steps;
  if (nest.kind == StepKind::kShift) counts.shifts = steps;
  counts.unit_millijoules = 1e-9 * as_double(steps) * (unit.step + unit.add);
  counts.eyeriss = energy_of(nest);
  counts.bytes = bytes;
  add(name, counts);
}

void CostLedger::multiply_each(const std::string& name, int64_t values) {
  OpCounts counts;
  counts.multiplications = values;
  counts.bytes = 2 * kFloatBytes * as_double(values);
  counts.unit_millijoules = 1e-9 * kFloat32Energy.multiply * as_double(values);
  counts.eyeriss = energy_of({.batch = values});
  if (miscounts_.elementwise_latency_missing) counts.eyeriss.milliseconds = 0;
  add(name, counts);
}

}  // namespace shiftadd
