// Runs a network over a labelled set without recording.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "core/evaluation.h"
#include "data/loader.h"
#include "layers/vit.h"

namespace shiftadd::train {

/// What a network answered, and where its routers sent the tokens.
struct Validation {
  Evaluation answers;
  std::vector<double> shift_shares;  // of all tokens, for each of routers_of(spec)
  std::string right;                 // '1' where the image's first answer was right, else '0'

  /// Mean of shift_shares; 0 without routers.
  double shift_share() const;
};

/// The whole of `loader` (made with training = false). Nothing when `stop` became true on the way.
std::optional<Validation> evaluate(const layers::Vit& model, data::Loader& loader,
                                   const std::atomic<bool>& stop);

/// A line for each router that sends (nearly) every token to one expert: what it was added for is
/// lost. Shares as in Validation.
std::vector<std::string> collapsed_routers(const ModelSpec& spec,
                                           const std::vector<double>& shift_shares);

}  // namespace shiftadd::train
