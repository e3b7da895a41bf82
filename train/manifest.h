// manifest.json: what a run was made of.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "train/config.h"
#include "train/run_data.h"

namespace shiftadd::train {

/// The commit that this program was built from, "1a2b3c4d5e6f" or with "-dirty" where files differ
/// from it; "unknown" where it was built without git. In a generated file
/// (cmake/build_commit.cmake).
const char* build_commit();

/// Writes FOLDER/manifest.json: resolved configuration, seed, version, commit, data (paths, sizes,
/// classes, digests), and one entry per session (start, first step, machine: CPU, instruction set,
/// threads, compiler). A resumed run adds its session to those in the file. `first_step`: optimizer
/// steps done before this session. Atomic; throws Error (failure).
void write_manifest(const std::string& folder, const TrainConfig& config, const RunData& data,
                    const std::string& version, int64_t first_step);

/// The seed that FOLDER/manifest.json tells of; nothing where there is no manifest, or none that
/// can be read.
std::optional<uint64_t> seed_of_run(const std::string& folder);

}  // namespace shiftadd::train
