// Runs images through a session and hands out its answers, of any source or of a labelled set.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/evaluation.h"
#include "core/parallel.h"
#include "data/dataset.h"
#include "data/image_stream.h"
#include "infer/session.h"

namespace shiftadd::infer {

/// One image and what a session says of it; the pointers hold during the call.
struct Answer {
  int64_t item;           // of the source
  const uint8_t* pixels;  // as bytes (data/preprocess.h)
  const float* logits;
  const uint8_t* choices;  // of each router's tokens, as Session::run gives them; null: not asked
};

/// How images are run through a session, and who hears of it; a function that is empty is not
/// called.
struct ImageRun {
  std::string model;                                   // its name in errors
  std::function<std::string(int64_t item)> name = {};  // of an image there; empty: the source's
  int64_t batch = 32;
  int workers = num_threads();  // threads that decode
  data::DecodeLimits limits = {};
  bool choices = false;  // whether the routers' choices are asked for
  std::function<void(const data::ImageBatch&)> batch_done = {};  // before its answers
  std::function<void(const Answer&)> answer = {};                // in the source's order
  /// An image that cannot be read, before the answers of its batch; empty: it ends the run.
  std::function<void(const data::ImageBatch::Broken&)> broken = {};
  std::function<void(int64_t done)> progress = {};  // after each batch: images, broken ones too
  std::function<bool()> stopped = {};               // asked before each batch
};

/// Runs all images of `source`, or those until `stopped`. Returns how many were broken. Throws
/// Error (user) for logits that are not finite, and for a broken image that nobody hears of.
int64_t run_images(Session& session, const data::ImageSource& source, const ImageRun& run);

/// Images of which each has its class among a network's.
struct LabelledSet {
  data::ImageFolder images;
  std::vector<int64_t> classes;  // the network's, of each class of the set
  int64_t label(int64_t item) const { return classes[images.label(item)]; }
};
/// `given`: the set's name in errors. Throws Error (user) for a set whose classes are not the
/// network's.
LabelledSet labelled(const Session& session, const data::ImageFolder& images,
                     const std::string& given);

struct EvaluatedSet {
  Evaluation answers;
  int64_t broken = 0;  // images that are not among them
};
/// run_images() on a labelled set; run.answer comes after the image has been counted.
EvaluatedSet evaluate(Session& session, const LabelledSet& set, const ImageRun& run);

}  // namespace shiftadd::infer
