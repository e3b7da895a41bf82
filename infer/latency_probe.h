// How long each expert of each router takes on this machine: what `balance: latency` weighs.
#pragma once

#include "model/latency_report.h"
#include "model/model_file.h"

namespace shiftadd::infer {

struct LatencyOptions {
  int64_t batch = 1;
  double seconds = 1;  // of sampling for each pair of experts; at least 15 runs, at most 100,000
  PackSpec pack;       // of a model that is not packed yet
};

/// Times each router's two experts as Session runs them, in the format the model is packed in, on
/// random tokens and the threads that are set. Each expert is given all batch * N tokens. What both
/// share is left out: router, sorting, and in MLPs of integers the quantisation of their input. The
/// two take turns, after a warm-up, so that a busy moment meets both. Routers of equal widths share
/// one measurement. Throws Error (user) for a network without routers, options out of range, and
/// for sizes the memory does not hold.
LatencyReport measure_latency(const ModelFile& model, const LatencyOptions& options);

}  // namespace shiftadd::infer
