// The weights of a plan in a device's memory, laid out for its kernels, uploaded once.
#pragma once

#include <vector>

#include "cuda/device.h"
#include "cuda/operands.h"
#include "model/plan.h"

namespace shiftadd::cuda {

struct NormAt {
  const float *gamma = nullptr, *beta = nullptr;
  double eps = 0;
};

class DeviceWeights {
 public:
  /// `tensors`: those of stored_tensors of the network. `joined`: tables that lie one behind the
  /// other besides. Throws Error (user) as StoredWeights does, and Error (failure) of the device.
  DeviceWeights(Device& device, const Network& network, const PackSpec& pack, const Plan& plan,
                NamedTensors tensors, const std::vector<TableId>& joined);

  const WeightAt& matrix(MatrixId id) const { return matrices_[static_cast<std::size_t>(id)]; }
  const NormAt& norm(NormId id) const { return norms_[static_cast<std::size_t>(id)]; }
  const float* table(TableId id) const { return tables_[static_cast<std::size_t>(id)]; }
  const float* joined() const { return joined_; }
  std::size_t bytes() const { return memory_.bytes(); }

 private:
  Device::Memory memory_;
  std::vector<WeightAt> matrices_;
  std::vector<NormAt> norms_;
  std::vector<const float*> tables_;
  const float* joined_ = nullptr;
};

}  // namespace shiftadd::cuda
