// Kernels with one planted fault each, and their right twins: wrong_NAME_kernel(),
// right_NAME_kernel().
#pragma once

#include <cstdint>

#include "cuda/simt/kernel.h"

namespace shiftadd::cuda {

/// A number for each of the launch's threads, in blocks of 64.
struct FaultArgs {
  const uint32_t* in;
  uint32_t* out;
  uint32_t* host;  // memory of the host
};

#define SIMT_DECLARE_PAIR(name)      \
  SIMT_DECLARE_KERNEL(wrong_##name); \
  SIMT_DECLARE_KERNEL(right_##name)

SIMT_DECLARE_PAIR(barrier_after_fill);
SIMT_DECLARE_PAIR(barrier_before_refill);
SIMT_DECLARE_PAIR(copy_wait);
SIMT_DECLARE_PAIR(copy_wait_in_time);
SIMT_DECLARE_PAIR(stages);
SIMT_DECLARE_PAIR(warp_barrier);
SIMT_DECLARE_PAIR(partial_warp_barrier);
SIMT_DECLARE_PAIR(shuffle_as_barrier);
SIMT_DECLARE_PAIR(global_write);
SIMT_DECLARE_PAIR(wide_read);
SIMT_DECLARE_PAIR(shared_write);
SIMT_DECLARE_PAIR(dynamic_shared_write);
SIMT_DECLARE_PAIR(one_barrier);
SIMT_DECLARE_PAIR(return_before_barrier);
SIMT_DECLARE_PAIR(return_before_shuffle);
SIMT_DECLARE_PAIR(whole_warp);
SIMT_DECLARE_PAIR(one_shuffle);
SIMT_DECLARE_PAIR(own_mask);
SIMT_DECLARE_PAIR(source_in_mask);
SIMT_DECLARE_PAIR(cell_of_blocks);
SIMT_DECLARE_PAIR(read_of_block);
SIMT_DECLARE_PAIR(read_after_atomic);
SIMT_DECLARE_PAIR(read_beside_atomic_of_block);
SIMT_DECLARE_PAIR(shared_read);
SIMT_DECLARE_PAIR(device_read);
SIMT_DECLARE_PAIR(copy_alignment);
SIMT_DECLARE_PAIR(copy_target);
SIMT_DECLARE_PAIR(matrix_row);
SIMT_DECLARE_PAIR(shared_size);
SIMT_DECLARE_PAIR(host_write);
SIMT_DECLARE_PAIR(own_variables);

#undef SIMT_DECLARE_PAIR

/// out[i] = in[i] + 1, for launches that overlap.
SIMT_DECLARE_KERNEL(waits_first);
SIMT_DECLARE_KERNEL(reads_before_wait);
SIMT_DECLARE_KERNEL(writes_before_wait);
SIMT_DECLARE_KERNEL(releases_before_wait);
SIMT_DECLARE_KERNEL(never_waits);

}  // namespace shiftadd::cuda
