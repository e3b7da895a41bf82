// What both uses of shiftadd-infer share: its options, and images run through a session.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/parallel.h"
#include "core/tensor.h"
#include "data/decode.h"
#include "infer/evaluate.h"
#include "infer/session.h"
#include "tools/outputs.h"
#include "tools/run_progress.h"

namespace shiftadd::tools {

struct InferOptions {
  std::string model;
  std::vector<std::string> images;
  std::string eval, confusion, dump, routing, device = "auto";
  int64_t top_k = 5, batch = 32;
  data::DecodeLimits limits;
  int threads = available_cores(), workers = 0;
  bool json = false, features = false;
};

/// Opens the model, up to what its head reads where options.features are wanted. Throws Error
/// (user) for what is no model, or one that is not of images.
infer::Session open_model(const InferOptions& options);

/// A line on stderr.
void note(const std::string& line);

/// Rows of float32 collected for --dump.
class Rows {
 public:
  void add(const float* values, int64_t count);
  Tensor tensor(Shape row) const;

 private:
  std::vector<float> values_;
};

/// What the network gets of an image: normalised planes.
std::vector<float> planes_of(const infer::Session& session, const infer::Answer& answer);

/// How images are run through the model, with the choices of its routers: it ends early at a stop
/// signal, and a broken image is an error on stderr. `progress` outlives it.
infer::ImageRun image_run(const InferOptions& options, RunProgress& progress);

/// Says that the run was interrupted. The status to exit with after images of which so many were
/// broken and the writing of `outputs`.
int finish(int64_t broken, const Outputs& outputs);

/// --dump: the tensors, with the images' names.
void write_dump(const InferOptions& options, Outputs& outputs,
                const std::vector<std::string>& names,
                std::vector<std::pair<std::string, Tensor>> tensors);

}  // namespace shiftadd::tools
