// What a run would do, found out by doing a little of it.
#pragma once

#include <functional>
#include <string>

#include "train/config.h"

namespace shiftadd::train {

/// Opens the data, builds the network, loads the first batch and makes three real steps; writes
/// nothing (but the synthetic set, where the configuration asks for one). Of stages all are
/// checked, and the first one tried. Returns the report: layer table, parameters, MACs, data, first
/// batch, memory, time per epoch. Throws what train() would throw.
std::string dry_run(const TrainConfig& config);

/// Reads every image of both sets once. The report names each broken, odd or ignored file; `broken`
/// counts the broken ones, `mismatch` says how the two sets' classes differ, if they do.
/// progress(set, images done, of all) is called as check_data does.
struct DataCheck {
  std::string text, mismatch;
  int64_t broken = 0;
};
DataCheck check_run_data(const TrainConfig& config,
                         const std::function<void(const std::string&, int64_t, int64_t)>& progress);

}  // namespace shiftadd::train
