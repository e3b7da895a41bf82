// Plug-ins that must be refused, by the macros that they are compiled with: of another version
// (TEST_VERSION), with other kernels (none) or without the function (TEST_SYMBOL).
#include "cuda/device_api.h"

extern "C" __attribute__((visibility("default"))) const shiftadd_device_api* TEST_SYMBOL() {
  static const shiftadd_device_api api = [] {
    shiftadd_device_api odd = {};
    odd.version = TEST_VERSION;
    return odd;
  }();
  return &api;
}
