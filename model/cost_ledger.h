// The layers of one network, counted so far.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "model/op_count.h"

namespace shiftadd {

constexpr double kFloatBytes = 4, kCodeBytes = 1.0 / 8;

/// Energies of one step of a product, picojoule.
struct StepEnergy {
  double step, add;
};
constexpr StepEnergy kFloatStep = {kFloat32Energy.multiply, kFloat32Energy.add};

constexpr double as_double(int64_t x) { return static_cast<double>(x); }

/// Adds operations to layers by name: to the last layer where that has the name, else to a new one.
class CostLedger {
 public:
  explicit CostLedger(const PublishedMiscounts& miscounts) : miscounts_(miscounts) {}

  /// A product with its energy. Throws Error (user) where 64 bits would not hold the sum of all
  /// products' steps.
  void product(const std::string& name, const LoopNest& nest, const StepEnergy& unit, double bytes);
  /// Each value times another: its token's probability, its channel's factor.
  void multiply_each(const std::string& name, int64_t values);
  /// OpCounts::other.
  void other(const std::string& name, int64_t values, double bytes);

  const PublishedMiscounts& miscounts() const { return miscounts_; }
  const ModelCost& cost() const { return cost_; }

 private:
  void add(const std::string& name, const OpCounts& counts);
  EnergyEstimate energy_of(const LoopNest& nest);
  EnergyEstimate cached(const LoopNest& nest);

  const PublishedMiscounts& miscounts_;
  std::optional<LoopNest> first_add_;
  std::map<LoopNest, EnergyEstimate> energies_;
  ModelCost cost_;
  double steps_ = 0;  // of all products so far
};

}  // namespace shiftadd
