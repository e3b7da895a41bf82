// Runs a network over a labelled set without recording.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/evaluation.h"
#include "data/loader.h"
#include "layers/model.h"
#include "train/reporter.h"

namespace shiftadd::train {

/// What a network answered, and where its routers sent the tokens.
struct Validation {
  Evaluation answers;
  std::vector<double> shift_shares;  // of all tokens, for each of router_names(spec)
  std::string right;                 // '1' where the image's first answer was right, else '0'
};

/// Of all routers' shares; 0 without routers.
double mean_share(const std::vector<double>& shift_shares);

/// What is evaluated: `loader` reads all of `set` (training = false); `name` is the network's in
/// errors; `report`, if any, hears how many of how many batches are done; `classes` are the
/// network's of each class of the set, empty where both count alike.
struct EvaluationTask {
  const layers::Model& model;
  const data::ImageFolder& set;
  data::Loader& loader;
  std::string name;
  std::function<void(int64_t, int64_t)> report = {};
  std::vector<int64_t> classes = {};
};

/// "validation 3/7" to the user; "validation of NAME 3/7" where a name is given, because several
/// networks are evaluated in turn.
std::function<void(int64_t, int64_t)> validation_report(Reporter& reporter,
                                                        const std::string& name = "");

/// Nothing when `stop` became true on the way. Throws Error (failure) that names network and image
/// where a logit is not finite.
std::optional<Validation> evaluate(const EvaluationTask& task, const std::atomic<bool>& stop);

/// A line for each router that sends (nearly) every token to one expert: what it was added for is
/// lost. Shares as in Validation.
std::vector<std::string> collapsed_routers(const ModelSpec& spec,
                                           const std::vector<double>& shift_shares);

}  // namespace shiftadd::train
