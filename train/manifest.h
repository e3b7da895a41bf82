// manifest.json: what a run was made of.
#pragma once

#include <string>

#include "train/config.h"
#include "train/run_data.h"

namespace shiftadd::train {

/// "Intel(R) Xeon(R) ...", from /proc/cpuinfo; "unknown" where that is absent.
std::string cpu_name();

/// Writes FOLDER/manifest.json: resolved configuration, seed, version, data (paths, sizes, classes,
/// digests), and one entry per session (start, first step, machine: CPU, instruction set, threads,
/// compiler). A resumed run adds its session to those in the file. `first_step`: optimizer steps
/// done before this session. Atomic; throws Error (failure).
void write_manifest(const std::string& folder, const TrainConfig& config, const RunData& data,
                    const std::string& version, int64_t first_step);

}  // namespace shiftadd::train
