// The tensors of a packed model by name, for an engine that lays them out for its kernels.
#pragma once

#include <map>
#include <string>

#include "core/tensor.h"
#include "model/network.h"
#include "model/pack.h"
#include "model/plan.h"

namespace shiftadd {

/// Each is released as soon as nobody has use for it, so that a model does not lie in memory twice.
class StoredWeights {
 public:
  /// `tensors`: those of stored_tensors of the network. Throws Error (user) naming one that is
  /// missing or has another shape or type.
  StoredWeights(const Network& network, const PackSpec& pack, NamedTensors tensors);

  /// Undefined where there is none of that name.
  Tensor get(const std::string& name) const;
  /// A copy, which is what lets a file's map go.
  Tensor copy(const std::string& name) const { return get(name).clone(); }
  /// The rows of a matrix of the plan, of the part ".weight", ".codes", ".exponents", ".scales" or
  /// ".bias" of its layer; undefined where the layer has no such part.
  Tensor rows(const Matrix& matrix, const char* part) const;
  /// The parameter as rows x columns, with rows of another added to it.
  Tensor values(const Table& table) const;

  /// Nobody will ask for this layer again.
  void release(const std::string& layer);

 private:
  std::map<std::string, Tensor> tensors_;
};

}  // namespace shiftadd
