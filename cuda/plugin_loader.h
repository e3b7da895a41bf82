// Finds and opens the CUDA plug-in at run time, so that no program is linked to CUDA.
#pragma once

#include "cuda/device_api.h"

namespace shiftadd::cuda {

/// The plug-in libshiftadd_cuda.so: the file that $SHIFTADD_CUDA_PLUGIN names or, where that is not
/// set, the one beside this program or library, or in the folder lib beside its folder. It stays
/// loaded. Throws Error (failure) saying why there is none: no file, not a library, another
/// version.
const shiftadd_device_api& load_plugin();

}  // namespace shiftadd::cuda
