// Runs a network over a labelled set without recording.
#pragma once

#include <atomic>
#include <optional>

#include "core/evaluation.h"
#include "data/loader.h"
#include "layers/vit.h"

namespace shiftadd::train {

/// The whole of `loader` (made with training = false). Nothing when `stop` became true on the way.
std::optional<Evaluation> evaluate(const layers::Vit& model, data::Loader& loader,
                                   const std::atomic<bool>& stop);

}  // namespace shiftadd::train
