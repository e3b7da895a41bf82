// See errors.h.
#include "cuda/plugin/errors.h"

#include <new>
#include <utility>

namespace shiftadd::cuda {
namespace {

using Status = shiftadd_device_status;

thread_local std::string last_error;

Status status_of(cudaError_t error) {
  switch (error) {
    case cudaErrorInsufficientDriver:
    case cudaErrorStubLibrary:
    case cudaErrorCallRequiresNewerDriver:
    case cudaErrorSystemNotReady:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorCompatNotSupportedOnDevice:
      return SHIFTADD_DEVICE_NO_DRIVER;
    case cudaErrorNoDevice:
    case cudaErrorInvalidDevice:
    case cudaErrorDevicesUnavailable:
      return SHIFTADD_DEVICE_NO_DEVICE;
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorInvalidDeviceFunction:
    case cudaErrorInvalidKernelImage:
    case cudaErrorInvalidPtx:
    case cudaErrorUnsupportedPtxVersion:
    case cudaErrorJitCompilerNotFound:
    case cudaErrorJitCompilationDisabled:
      return SHIFTADD_DEVICE_WRONG_ARCHITECTURE;
    case cudaErrorMemoryAllocation:
      return SHIFTADD_DEVICE_OUT_OF_MEMORY;
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorContextIsDestroyed:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorContained:
    case cudaErrorUnknown:
      return SHIFTADD_DEVICE_LOST;
    default:
      return SHIFTADD_DEVICE_OTHER;
  }
}

// "13.0" of 13000, as the driver and the runtime number themselves.
std::string cuda_version(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string driver_reason() {
  int driver = 0;
  cudaDriverGetVersion(&driver);
  if (driver == 0) return "no NVIDIA driver is installed";
  if (driver < CUDART_VERSION)
    return "the NVIDIA driver is for CUDA " + cuda_version(driver) + ", and " +
           cuda_version(CUDART_VERSION) + " is needed: update the driver";
  return "the NVIDIA driver is not ready";
}

std::string reason_of(cudaError_t error) {
  switch (status_of(error)) {
    case SHIFTADD_DEVICE_NO_DRIVER:
      return driver_reason();
    case SHIFTADD_DEVICE_NO_DEVICE:
      return error == cudaErrorDevicesUnavailable ? "the device is in use by another program"
                                                  : "the NVIDIA driver knows no such device";
    case SHIFTADD_DEVICE_WRONG_ARCHITECTURE:
      return "the plug-in has no machine code for it";
    case SHIFTADD_DEVICE_OUT_OF_MEMORY:
      return "out of memory";
    default:
      return std::string("the CUDA runtime reports ") + cudaGetErrorName(error) + " (" +
             std::to_string(static_cast<int>(error)) + ")";
  }
}

}  // namespace

const char* error_text() { return last_error.c_str(); }

Status refused(Status status, std::string text) {
  last_error = std::move(text);
  return status;
}

Status checked(cudaError_t error) {
  if (error == cudaSuccess) return SHIFTADD_DEVICE_OK;
  const Status status = status_of(error);
  last_error = reason_of(error);
  cudaGetLastError();
  return status;
}

// The texts are short enough to need no memory.
Status caught() noexcept {
  last_error.clear();
  try {
    throw;
  } catch (const std::bad_alloc&) {
    last_error = "out of memory";
    return SHIFTADD_DEVICE_OUT_OF_MEMORY;
  } catch (...) {
    last_error = "plug-in failed";
    return SHIFTADD_DEVICE_OTHER;
  }
}

}  // namespace shiftadd::cuda
