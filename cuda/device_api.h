/* What the engine asks of a device: one versioned table of functions in plain C, which a plug-in
   exports. No C++ type and no exception crosses it, so the plug-in may bring another C++ library
   than the program. */
#ifndef SHIFTADD_CUDA_DEVICE_API_H
#define SHIFTADD_CUDA_DEVICE_API_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised at each change of this header: a plug-in of another version is refused. */
#define SHIFTADD_DEVICE_API_VERSION 3

/* The one symbol of a plug-in: const shiftadd_device_api* shiftadd_cuda_plugin(void). */
#define SHIFTADD_DEVICE_PLUGIN_SYMBOL "shiftadd_cuda_plugin"

/* What every function but the ones that cannot fail returns. The reason in words is error_text().
 */
typedef enum shiftadd_device_status {
  SHIFTADD_DEVICE_OK = 0,
  SHIFTADD_DEVICE_NO_DRIVER = 1,          /* none, or one too old for the plug-in */
  SHIFTADD_DEVICE_NO_DEVICE = 2,          /* none at all, or none of that number */
  SHIFTADD_DEVICE_WRONG_ARCHITECTURE = 3, /* the plug-in holds no machine code for it */
  SHIFTADD_DEVICE_OUT_OF_MEMORY = 4,
  SHIFTADD_DEVICE_LOST =
      5, /* a kernel or the machine failed: nothing more can be done in this process */
  SHIFTADD_DEVICE_OTHER = 6,
  SHIFTADD_DEVICE_NOT_AVAILABLE = 7 /* what was asked for is optional, and not there */
} shiftadd_device_status;

/* A stream of work on a device: what is asked of a context happens in order. One thread at a time.
   Memory of one context may be used in another of the same device. */
typedef struct shiftadd_device_context shiftadd_device_context;
/* Recorded work, to be launched at once. */
typedef struct shiftadd_device_graph shiftadd_device_graph;

typedef struct shiftadd_device_description {
  char name[256];
  int32_t architecture; /* the compute capability: 80 is 8.0, 120 is 12.0 */
  int32_t multiprocessors;
  int32_t registers_per_block;
  int64_t shared_bytes_per_block; /* static and dynamic shared memory together, what must be asked
                                     for included */
  int64_t l2_bytes;
  int64_t memory_bytes;
  uint32_t emulated; /* not 0: no GPU, and its times say nothing */
} shiftadd_device_description;

typedef struct shiftadd_launch_shape {
  uint32_t grid_x, grid_y, grid_z;
  uint32_t block_x, block_y, block_z;
  uint64_t shared_bytes; /* dynamic shared memory of a block */
  uint32_t
      overlaps; /* not 0: may start while the launch before it ends, where the device can do that */
} shiftadd_launch_shape;

typedef enum shiftadd_dense_kind {
  SHIFTADD_DENSE_BF16 = 0, /* of bf16 numbers: float32 */
  SHIFTADD_DENSE_INT8 = 1, /* of int8 numbers: int32; outputs and inputs are multiples of 4 */
  SHIFTADD_DENSE_TF32 = 2  /* of float32 numbers, of whose fractions 10 bits may count: float32 */
} shiftadd_dense_kind;

/* c (rows, outputs) = a (rows, inputs) times b (outputs, inputs) transposed; each row by row, and
   so often, with the matrices of one product behind those of another. */
typedef struct shiftadd_dense_shape {
  uint32_t kind; /* shiftadd_dense_kind */
  int64_t products, rows, outputs, inputs;
} shiftadd_dense_shape;

/* How often a context was asked for what costs time. */
typedef struct shiftadd_device_counters {
  uint64_t launches; /* of kernels, not of graphs; those recorded into a graph included */
  uint64_t graph_launches;
  uint64_t allocations; /* device and pinned memory */
  uint64_t copies;
  uint64_t synchronisations;
} shiftadd_device_counters;

typedef struct shiftadd_device_api {
  uint32_t version; /* SHIFTADD_DEVICE_API_VERSION: read before all that follows */
  uint32_t kernels; /* how many kernels it knows, by number: cuda/kernel_list.inc */
  /* The name of a kernel; NULL beyond the last. */
  const char* (*kernel_name)(uint32_t kernel);

  /* Why this thread's last call that failed did: one line, never NULL. */
  const char* (*error_text)(void);

  /* *count is written only on success, and is then at least 1. */
  shiftadd_device_status (*count_devices)(int32_t* count);
  shiftadd_device_status (*describe)(int32_t device, shiftadd_device_description* description);
  shiftadd_device_status (*open)(int32_t device, shiftadd_device_context** context);
  /* Waits for the work under way; NULL is ignored. Memory and graphs must have been released
   * before. */
  void (*close)(shiftadd_device_context* context);

  /* Device memory, aligned to 256 bytes, of at least one byte. Not while a graph is recorded. Work
     that uses the memory must have been waited for before it is released; NULL is ignored there. */
  shiftadd_device_status (*allocate)(shiftadd_device_context* context, uint64_t bytes,
                                     void** memory);
  void (*release)(shiftadd_device_context* context, void* memory);
  /* Host memory that is copied from and to without a detour. */
  shiftadd_device_status (*allocate_pinned)(shiftadd_device_context* context, uint64_t bytes,
                                            void** memory);
  void (*release_pinned)(shiftadd_device_context* context, void* memory);

  /* These six return at once; the work is done, and host memory is read or written, at any time
     until synchronise() returns. While a graph is recorded they only record, and copies must be
     from or to pinned memory. */
  shiftadd_device_status (*copy_in)(shiftadd_device_context* context, void* device,
                                    const void* host, uint64_t bytes);
  shiftadd_device_status (*copy_out)(shiftadd_device_context* context, void* host,
                                     const void* device, uint64_t bytes);
  shiftadd_device_status (*fill)(shiftadd_device_context* context, void* device, uint8_t byte,
                                 uint64_t bytes);
  /* `args` is copied before it returns; another size of it than the kernel takes is refused. */
  shiftadd_device_status (*launch)(shiftadd_device_context* context, uint32_t kernel,
                                   const shiftadd_launch_shape* shape, const void* args,
                                   uint64_t args_bytes);
  /* A product by a library that may be there or not (cuBLASLt), counted as a launch.
     SHIFTADD_DEVICE_NOT_AVAILABLE: no library, or none for that shape. The first product of a shape
     takes memory, and waits: not while a graph is recorded. */
  shiftadd_device_status (*dense_product)(shiftadd_device_context* context,
                                          const shiftadd_dense_shape* shape, const void* a,
                                          const void* b, void* c);
  shiftadd_device_status (*launch_graph)(shiftadd_device_context* context,
                                         shiftadd_device_graph* graph);

  /* Launches a graph that often, one behind the other, and waits: *seconds is what one took by the
     device's clock. */
  shiftadd_device_status (*time_graph)(shiftadd_device_context* context,
                                       shiftadd_device_graph* graph, uint32_t times,
                                       double* seconds);

  /* Records what is asked of the context in between. A recording that failed ends with an error and
   * without a graph. */
  shiftadd_device_status (*begin_capture)(shiftadd_device_context* context);
  shiftadd_device_status (*end_capture)(shiftadd_device_context* context,
                                        shiftadd_device_graph** graph);
  void (*free_graph)(shiftadd_device_context* context, shiftadd_device_graph* graph);

  /* Waits for all work of the context, and tells of what failed in it. Not while a graph is
   * recorded. */
  shiftadd_device_status (*synchronise)(shiftadd_device_context* context);

  void (*counters)(const shiftadd_device_context* context, shiftadd_device_counters* counters);
} shiftadd_device_api;

typedef const shiftadd_device_api* (*shiftadd_device_plugin)(void);

#ifdef __cplusplus
}
#endif
#endif
