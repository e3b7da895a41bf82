// The report of shiftadd-bench gpu: tables, our figures beside another program's on the same
// device, and the goals that this project has set itself.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tools/bench/gpu_networks.h"
#include "tools/bench/gpu_parts.h"

namespace shiftadd::tools {

/// A network's forward pass by another program, on the device alone.
struct PeerTime {
  std::string model, mode;
  int64_t batch;
  double ms;
};
/// Of a JSON file: a list of objects with these keys, others ignored. Throws Error (user).
std::vector<PeerTime> read_peer_times(const std::string& file);

struct GpuFigures {
  shiftadd_device_description device = {};
  int threads = 0;  // that decode
  double decoded_per_second = 0;
  PartTimes parts;
  std::vector<NetworkFigures> networks;
  std::vector<PeerTime> peers;
  bool complete = false;  // not stopped, and the device did not fail
};

nlohmann::ordered_json to_json(const GpuFigures& figures);
std::string to_markdown(const GpuFigures& figures);

}  // namespace shiftadd::tools
