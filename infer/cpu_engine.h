// Runs a plan on the CPU: weights laid out once, one arena a thread, no allocation per image.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "infer/mixture.h"
#include "model/plan.h"

namespace shiftadd::infer {

class CpuEngine {
 public:
  /// `weights`: the tensors of stored_tensors of the network, by name; each is released as soon as
  /// it is laid out for the kernels. Throws Error (user) naming one that is missing or has another
  /// shape or type, and, before any is laid out, where the arenas do not fit into memory.
  CpuEngine(const Network& network, const PackSpec& pack, NamedTensors weights);
  /// Another engine on the same weights, with an arena of its own: one a thread.
  CpuEngine share() const;
  ~CpuEngine();
  CpuEngine(CpuEngine&&) noexcept;
  CpuEngine& operator=(CpuEngine&&) noexcept;

  const std::vector<Router>& routers() const;  // routers_of the network
  int64_t outputs() const;                     // of the network

  /// See Session::run.
  void run(const float* images, int64_t batch, float* logits, uint8_t* choices = nullptr);
  /// See Session::force_shift_share.
  void force_shift_share(double share);

  /// What run does where no choices are asked for.
  const Plan& plan() const;
  /// Adds the processor time of each of plan()'s steps, in seconds, to `seconds` from now on, which
  /// is set to 0 first (null: stop); for runs with one thread, without choices.
  void time_steps(std::vector<double>* seconds);

  /// Floats of one thread's arena.
  int64_t arena_floats() const;

 private:
  struct Impl;
  explicit CpuEngine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace shiftadd::infer
