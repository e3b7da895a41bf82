// Runs a plan on a CUDA device: weights uploaded once, one arena, one recorded graph for each size
// of a batch.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "cuda/device.h"
#include "cuda/launches.h"
#include "model/plan.h"

namespace shiftadd::cuda {

class CudaEngine {
 public:
  /// `weights`: the tensors of stored_tensors of the network, by name. `levels`: what each byte of
  /// each channel stands for, (channels, 256), for run_pixels; empty: it is never called. Throws
  /// Error (user) naming a tensor that is missing or has another shape or type; Error (failure) for
  /// a network with a step that no kernel does, and where the device has not enough memory.
  CudaEngine(const Network& network, const PackSpec& pack, NamedTensors weights, Device device,
             const std::vector<float>& levels = {});
  /// Another engine on the same weights, with an arena and a stream of its own: one a thread.
  CudaEngine share() const;
  ~CudaEngine();
  CudaEngine(CudaEngine&&) noexcept;
  CudaEngine& operator=(CudaEngine&&) noexcept;

  const std::vector<Router>& routers() const;  // routers_of the network
  int64_t outputs() const;                     // of the network

  /// See infer::Session::run. A batch is computed in parts of at most kMostImages; while one is
  /// computed, the next is copied. The first call for a size of part takes memory and records the
  /// launches; later ones launch what was recorded, and wait only for the answers.
  void run(const float* images, int64_t batch, float* logits, uint8_t* choices = nullptr);
  /// The same of images as bytes: a quarter of what is copied. See infer::Session::run_pixels.
  void run_pixels(const uint8_t* pixels, int64_t batch, float* logits, uint8_t* choices = nullptr);
  static constexpr int64_t kMostImages = 64;
  /// See infer::Session::force_shift_share.
  void force_shift_share(double share);

  /// What run does where no choices are asked for.
  const Plan& plan() const;
  const Launches& launches() const;
  /// Throws Error (failure): the steps of a plan have no times of their own here.
  void time_steps(std::vector<double>* seconds);

  /// Seconds of a forward pass of so many images (at most kMostImages) that lie on the device,
  /// whose answers stay there: what its kernels take, the mean of `times` passes one behind the
  /// other.
  double time_forward(int64_t images, uint32_t times);

  /// Floats of the arena of kMostImages.
  int64_t arena_floats() const;
  /// What the device was asked for, by this engine's streams together.
  shiftadd_device_counters counters() const;

 private:
  struct Impl;
  explicit CudaEngine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace shiftadd::cuda
