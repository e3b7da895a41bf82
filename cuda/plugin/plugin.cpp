// The table of device_api.h on the CUDA runtime: the one file of the project that calls it, but for
// cuBLASLt's seam.
#include <cuda_runtime.h>

#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <utility>

#include "cuda/device_api.h"
#include "cuda/kernel_list.h"
#include "cuda/plugin/cublaslt.h"
#include "cuda/plugin/errors.h"
#include "cuda/simt/kernel.h"

struct shiftadd_device_context {
  int device = 0;
  cudaStream_t stream = nullptr;
  bool may_overlap = false;  // programmatic dependent launches
  bool recording = false;
  shiftadd_device_counters counters = {};
  std::unique_ptr<shiftadd::cuda::DenseProducts> products = {};  // from the first one on
};

struct shiftadd_device_graph {
  cudaGraphExec_t executable = nullptr;
};

namespace {

using shiftadd::cuda::checked;
using shiftadd::cuda::NoThrow;
using shiftadd::cuda::refused;
using shiftadd::simt::Kernel;
using Context = shiftadd_device_context;
using Status = shiftadd_device_status;

constexpr int kLowestArchitecture = SHIFTADD_CUDA_LOWEST_ARCHITECTURE;  // 80: 8.0
constexpr int kOverlapsFrom = 90;

// "8.9" of 89.
std::string capability(int architecture) {
  return std::to_string(architecture / 10) + "." + std::to_string(architecture % 10);
}

// The first error of a sequence of calls: later ones are not made.
template <class... Calls>
cudaError_t in_order(Calls... calls) {
  cudaError_t error = cudaSuccess;
  ((error = error == cudaSuccess ? calls() : error), ...);
  return error;
}

Status not_while_recording(const char* what) {
  return refused(SHIFTADD_DEVICE_OTHER, std::string(what) + " while a graph is recorded");
}

const Kernel* kernel_of(uint32_t number) {
  const auto kernels = shiftadd::cuda::all_kernels();
  return number < kernels.size() ? kernels[number] : nullptr;
}

const char* kernel_name(uint32_t number) {
  const Kernel* kernel = kernel_of(number);
  return kernel ? kernel->name : nullptr;
}

Status count_devices(int32_t* count) {
  int found = 0;
  const cudaError_t error = cudaGetDeviceCount(&found);
  if (error == cudaErrorNoDevice || (error == cudaSuccess && found < 1)) {
    cudaGetLastError();
    return refused(SHIFTADD_DEVICE_NO_DEVICE,
                   "the NVIDIA driver sees no device (CUDA_VISIBLE_DEVICES may hide them)");
  }
  if (error == cudaSuccess) *count = found;
  return checked(error);
}

Status describe(int32_t device, shiftadd_device_description* description) {
  cudaDeviceProp properties;
  const Status status = checked(cudaGetDeviceProperties(&properties, device));
  if (status != SHIFTADD_DEVICE_OK) return status;
  *description = {};
  std::snprintf(description->name, sizeof description->name, "%s", properties.name);
  description->architecture = properties.major * 10 + properties.minor;
  description->multiprocessors = properties.multiProcessorCount;
  description->registers_per_block = properties.regsPerBlock;
  description->shared_bytes_per_block = static_cast<int64_t>(properties.sharedMemPerBlockOptin);
  description->l2_bytes = properties.l2CacheSize;
  description->memory_bytes = static_cast<int64_t>(properties.totalGlobalMem);
  return SHIFTADD_DEVICE_OK;
}

// Loads every kernel, which shows whether the plug-in has code for the device, and lets each use
// all shared memory that a block can have: 48 KiB unless asked. Once a device. *may_overlap: all
// kernels have the instructions of dependent launches. That is asked of the code that runs, not of
// the device: a new one may run code of an old architecture, which has none.
Status prepare_kernels(int device, const shiftadd_device_description& description,
                       bool* may_overlap) {
  static std::mutex mutex;
  static std::map<int, bool> prepared;
  const std::lock_guard lock(mutex);
  if (const auto done = prepared.find(device); done != prepared.end()) {
    *may_overlap = done->second;
    return SHIFTADD_DEVICE_OK;
  }
  *may_overlap = true;
  for (const Kernel* kernel : shiftadd::cuda::all_kernels()) {
    cudaFuncAttributes attributes;
    const Status status = checked(in_order(
        [&] { return cudaFuncGetAttributes(&attributes, kernel->device); },
        [&] {
          const int64_t dynamic =
              description.shared_bytes_per_block - static_cast<int64_t>(attributes.sharedSizeBytes);
          return cudaFuncSetAttribute(kernel->device, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                      static_cast<int>(dynamic));
        }));
    if (status == SHIFTADD_DEVICE_WRONG_ARCHITECTURE)
      return refused(status, "its compute capability is " + capability(description.architecture) +
                                 ", and the kernels are for " + capability(kLowestArchitecture) +
                                 " and newer");
    if (status != SHIFTADD_DEVICE_OK) return status;
    if (attributes.ptxVersion < kOverlapsFrom) *may_overlap = false;
  }
  prepared[device] = *may_overlap;
  return SHIFTADD_DEVICE_OK;
}

Status open(int32_t device, Context** context) {
  shiftadd_device_description description;
  Status status = describe(device, &description);
  if (status == SHIFTADD_DEVICE_OK) status = checked(cudaSetDevice(device));
  auto made = std::make_unique<Context>(Context{.device = device});
  if (status == SHIFTADD_DEVICE_OK)
    status = prepare_kernels(device, description, &made->may_overlap);
  if (status != SHIFTADD_DEVICE_OK) return status;
  status = checked(cudaStreamCreateWithFlags(&made->stream, cudaStreamNonBlocking));
  if (status == SHIFTADD_DEVICE_OK) *context = made.release();
  return status;
}

void close(Context* context) {
  if (!context) return;
  in_order([&] { return cudaSetDevice(context->device); },
           [&] { return cudaStreamSynchronize(context->stream); });
  context->products.reset();
  cudaStreamDestroy(context->stream);
  cudaGetLastError();
  delete context;
}

Status allocate(Context* context, uint64_t bytes, void** memory) {
  if (context->recording) return not_while_recording("memory was asked for");
  ++context->counters.allocations;
  return checked(in_order([&] { return cudaSetDevice(context->device); },
                          [&] { return cudaMalloc(memory, bytes ? bytes : 1); }));
}

void release(Context* context, void* memory) {
  cudaSetDevice(context->device);
  cudaFree(memory);
  cudaGetLastError();
}

Status allocate_pinned(Context* context, uint64_t bytes, void** memory) {
  if (context->recording) return not_while_recording("memory was asked for");
  ++context->counters.allocations;
  return checked(
      in_order([&] { return cudaSetDevice(context->device); },
               [&] { return cudaHostAlloc(memory, bytes ? bytes : 1, cudaHostAllocPortable); }));
}

void release_pinned(Context* context, void* memory) {
  cudaSetDevice(context->device);
  cudaFreeHost(memory);
  cudaGetLastError();
}

Status copy(Context* context, void* to, const void* from, uint64_t bytes, cudaMemcpyKind kind) {
  ++context->counters.copies;
  return checked(in_order([&] { return cudaSetDevice(context->device); },
                          [&] { return cudaMemcpyAsync(to, from, bytes, kind, context->stream); }));
}

Status copy_in(Context* context, void* device, const void* host, uint64_t bytes) {
  return copy(context, device, host, bytes, cudaMemcpyHostToDevice);
}

Status copy_out(Context* context, void* host, const void* device, uint64_t bytes) {
  return copy(context, host, device, bytes, cudaMemcpyDeviceToHost);
}

Status fill(Context* context, void* device, uint8_t byte, uint64_t bytes) {
  return checked(in_order([&] { return cudaSetDevice(context->device); },
                          [&] { return cudaMemsetAsync(device, byte, bytes, context->stream); }));
}

Status launch(Context* context, uint32_t number, const shiftadd_launch_shape* shape,
              const void* args, uint64_t args_bytes) {
  const Kernel* kernel = kernel_of(number);
  if (!kernel || args_bytes != kernel->args_bytes)
    return refused(SHIFTADD_DEVICE_OTHER, "the plug-in is from another build than the program");
  ++context->counters.launches;
  cudaLaunchAttribute overlap;
  overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  overlap.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(shape->grid_x, shape->grid_y, shape->grid_z);
  config.blockDim = dim3(shape->block_x, shape->block_y, shape->block_z);
  config.dynamicSmemBytes = shape->shared_bytes;
  config.stream = context->stream;
  config.attrs = &overlap;
  config.numAttrs = shape->overlaps && context->may_overlap ? 1 : 0;
  void* parameters[] = {const_cast<void*>(args)};
  return checked(
      in_order([&] { return cudaSetDevice(context->device); },
               [&] { return cudaLaunchKernelExC(&config, kernel->device, parameters); }));
}

Status dense_product(Context* context, const shiftadd_dense_shape* shape, const void* a,
                     const void* b, void* c) {
  const bool known = context->products && context->products->knows(*shape);
  if (!known && context->recording)
    return not_while_recording("the first dense product of a shape was asked for");
  Status status = checked(cudaSetDevice(context->device));
  if (status != SHIFTADD_DEVICE_OK) return status;
  if (!context->products) context->products = std::make_unique<shiftadd::cuda::DenseProducts>();
  const std::string missing = known ? "" : context->products->prepare(*shape);
  if (!missing.empty()) return refused(SHIFTADD_DEVICE_NOT_AVAILABLE, missing);
  ++context->counters.launches;
  const std::string wrong = context->products->multiply(*shape, a, b, c, context->stream);
  return wrong.empty() ? SHIFTADD_DEVICE_OK : refused(SHIFTADD_DEVICE_OTHER, wrong);
}

Status begin_capture(Context* context) {
  if (context->recording) return not_while_recording("another recording was begun");
  const Status status = checked(in_order(
      [&] { return cudaSetDevice(context->device); },
      [&] { return cudaStreamBeginCapture(context->stream, cudaStreamCaptureModeThreadLocal); }));
  context->recording = status == SHIFTADD_DEVICE_OK;
  return status;
}

Status end_capture(Context* context, shiftadd_device_graph** graph) {
  if (!context->recording) return refused(SHIFTADD_DEVICE_OTHER, "no graph is recorded");
  context->recording = false;
  auto made = std::make_unique<shiftadd_device_graph>();
  cudaGraph_t recorded = nullptr;
  // The upload takes the first launch's share of the work.
  const Status status =
      checked(in_order([&] { return cudaSetDevice(context->device); },
                       [&] { return cudaStreamEndCapture(context->stream, &recorded); },
                       [&] { return cudaGraphInstantiate(&made->executable, recorded, 0); },
                       [&] { return cudaGraphUpload(made->executable, context->stream); }));
  if (recorded) cudaGraphDestroy(recorded);
  if (status == SHIFTADD_DEVICE_OK)
    *graph = made.release();
  else if (made->executable)
    cudaGraphExecDestroy(made->executable);
  return status;
}

Status launch_graph(Context* context, shiftadd_device_graph* graph) {
  if (context->recording) return not_while_recording("a graph was launched");
  ++context->counters.graph_launches;
  return checked(in_order([&] { return cudaSetDevice(context->device); },
                          [&] { return cudaGraphLaunch(graph->executable, context->stream); }));
}

Status time_graph(Context* context, shiftadd_device_graph* graph, uint32_t times, double* seconds) {
  if (context->recording) return not_while_recording("a graph was launched");
  context->counters.graph_launches += times;
  ++context->counters.synchronisations;
  cudaEvent_t begin = nullptr, end = nullptr;
  float milliseconds = 0;
  const Status status = checked(
      in_order([&] { return cudaSetDevice(context->device); },
               [&] { return cudaEventCreate(&begin); }, [&] { return cudaEventCreate(&end); },
               [&] { return cudaEventRecord(begin, context->stream); },
               [&] {
                 cudaError_t error = cudaSuccess;
                 for (uint32_t i = 0; i < times && error == cudaSuccess; ++i)
                   error = cudaGraphLaunch(graph->executable, context->stream);
                 return error;
               },
               [&] { return cudaEventRecord(end, context->stream); },
               [&] { return cudaEventSynchronize(end); },
               [&] { return cudaEventElapsedTime(&milliseconds, begin, end); }));
  if (begin) cudaEventDestroy(begin);
  if (end) cudaEventDestroy(end);
  if (status == SHIFTADD_DEVICE_OK) *seconds = 1e-3 * milliseconds / times;
  return status;
}

void free_graph(Context* context, shiftadd_device_graph* graph) {
  if (!graph) return;
  cudaSetDevice(context->device);
  cudaGraphExecDestroy(graph->executable);
  cudaGetLastError();
  delete graph;
}

Status synchronise(Context* context) {
  if (context->recording) return not_while_recording("the work was waited for");
  ++context->counters.synchronisations;
  return checked(in_order([&] { return cudaSetDevice(context->device); },
                          [&] { return cudaStreamSynchronize(context->stream); }));
}

void counters(const Context* context, shiftadd_device_counters* counters) {
  *counters = context->counters;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const shiftadd_device_api* shiftadd_cuda_plugin(
    void) {
  static const shiftadd_device_api api = {
      .version = SHIFTADD_DEVICE_API_VERSION,
      .kernels = static_cast<uint32_t>(shiftadd::cuda::kKernels),
      .kernel_name = kernel_name,
      .error_text = shiftadd::cuda::error_text,
      .count_devices = NoThrow<count_devices>::call,
      .describe = NoThrow<describe>::call,
      .open = NoThrow<open>::call,
      .close = close,
      .allocate = NoThrow<allocate>::call,
      .release = release,
      .allocate_pinned = NoThrow<allocate_pinned>::call,
      .release_pinned = release_pinned,
      .copy_in = NoThrow<copy_in>::call,
      .copy_out = NoThrow<copy_out>::call,
      .fill = NoThrow<fill>::call,
      .launch = NoThrow<launch>::call,
      .dense_product = NoThrow<dense_product>::call,
      .launch_graph = NoThrow<launch_graph>::call,
      .time_graph = NoThrow<time_graph>::call,
      .begin_capture = NoThrow<begin_capture>::call,
      .end_capture = NoThrow<end_capture>::call,
      .free_graph = free_graph,
      .synchronise = NoThrow<synchronise>::call,
      .counters = counters,
  };
  return &api;
}
