// What the functions of the table say of a failure: a status, and the reason in one line.
#pragma once

#include <cuda_runtime.h>

#include <string>

#include "cuda/device_api.h"

namespace shiftadd::cuda {

/// Why this thread's last call that failed did; never null.
const char* error_text();

/// Keeps the reason.
shiftadd_device_status refused(shiftadd_device_status status, std::string text);

/// What the runtime returned, in our terms; an error that it would report again is taken from it.
shiftadd_device_status checked(cudaError_t error);

/// Of the exception at hand, in a handler.
shiftadd_device_status caught() noexcept;

/// A function of the table that no exception leaves: C++ of another library may have called it.
template <auto function>
struct NoThrow;
template <class... Arguments, shiftadd_device_status (*function)(Arguments...)>
struct NoThrow<function> {
  static shiftadd_device_status call(Arguments... arguments) noexcept {
    try {
      return function(arguments...);
    } catch (...) {
      return caught();
    }
  }
};

}  // namespace shiftadd::cuda
