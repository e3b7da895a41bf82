// Dense products by cuBLASLt, a library of 542 MB that is opened at run time where it is there.
#pragma once

#include <cuda_runtime.h>

#include <memory>
#include <string>

#include "cuda/device_api.h"

namespace shiftadd::cuda {

/// Those of one context, on the device that is current when it is called.
class DenseProducts {
 public:
  DenseProducts();
  ~DenseProducts();

  /// Finds an algorithm and, the first time, opens the library and takes memory. Returns why there
  /// is no such product; empty: multiply() may be called.
  std::string prepare(const shiftadd_dense_shape& shape);
  bool knows(const shiftadd_dense_shape& shape) const;

  /// Of a shape that was prepared. Returns what went wrong; empty: nothing. May be recorded.
  std::string multiply(const shiftadd_dense_shape& shape, const void* a, const void* b, void* c,
                       cudaStream_t stream);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace shiftadd::cuda
