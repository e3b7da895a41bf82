// Session: a loaded model that turns images into logits, without gradients or allocation.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "infer/cpu_engine.h"
#include "infer/device_choice.h"
#include "model/model_file.h"

namespace shiftadd::infer {

class Session {
 public:
  /// A packed model, or a trained one, which is packed with float32 products first. Each tensor is
  /// released as soon as it is laid out for the kernels. Throws Error (user) naming a weight that
  /// is missing or has another shape than model.spec demands, and for codes `unit_batch`; Error
  /// (failure) where the device is not to be had.
  explicit Session(ModelFile model, const DeviceChoice& device = {});
  /// Another session on the same weights, with an arena of its own: one a thread.
  Session share() const;
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  const ModelSpec& spec() const;
  const PackSpec& pack() const;
  const Preprocess& preprocess() const;
  const std::vector<std::string>& classes() const;    // empty: unnamed
  const std::vector<std::string>& class_ids() const;  // empty: unknown
  const std::vector<Router>& routers() const;         // routers_of(spec())
  /// Numbers of an answer: a logit a class or, without a head, features.
  int64_t outputs() const;

  /// images: batch * spec().image_values() floats, normalised planes; logits: batch * outputs()
  /// floats; choices: batch * routed_tokens(routers()) bytes, or null: the expert of each token at
  /// each router, kMultExpert, kShiftExpert or, for a token whose output nothing reads, kNotRouted.
  /// The logits are those of the training graph's evaluation; an image's have the same bits for any
  /// batch and any num_threads(). The first call, and the first after a change of num_threads(),
  /// takes memory; later ones take none. One call at a time.
  void run(const float* images, int64_t batch, float* logits, uint8_t* choices = nullptr);
  /// The same, with its bits, of images as bytes (data/preprocess.h), which preprocess() says how
  /// to normalise; for a session that require_images() takes. What a GPU is sent is a quarter of
  /// run's.
  void run_pixels(const uint8_t* pixels, int64_t batch, float* logits, uint8_t* choices = nullptr);

  /// From now on every router sends this share of its tokens to Shift, 0 to 1, whatever it would
  /// choose: for measurements with random weights.
  void force_shift_share(double share);

  /// The steps of run() without choices.
  const Plan& plan() const;
  /// Adds the processor time of each of plan()'s steps, in seconds, to `seconds` from now on, which
  /// is set to 0 first (null: stop); for runs with one thread, without choices.
  void time_steps(std::vector<double>* seconds);

  /// Terms that run() sums for one image in its linear layers and attention, each a multiplication,
  /// an addition or a shift with an addition. Fewer than count_macs(spec()), because in the last
  /// block only the class token's row is carried beyond the keys and values: nothing reads the
  /// others. (Asked for the choices of a router there, run() computes all.)
  int64_t macs_per_image() const;
  /// Trained values, and floats of one thread's arena.
  int64_t weight_floats() const;
  int64_t arena_floats() const;

 private:
  struct Impl;
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Throws Error (user) unless the network takes what preprocessing makes of an image; `name` is of
/// the model.
void require_images(const Session& session, const std::string& name);

}  // namespace shiftadd::infer
