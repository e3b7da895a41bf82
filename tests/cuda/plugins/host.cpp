// The host executor as a plug-in: with it programs compute as on a GPU where there is none.
#include "cuda/host_device.h"

extern "C" __attribute__((visibility("default"))) const shiftadd_device_api*
shiftadd_cuda_plugin() {
  return &shiftadd::cuda::host_device_api();
}
