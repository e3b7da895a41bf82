// Measures each router's logits, block after block, and moves its bias so that the share is met.
#include "train/calibrate.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <iterator>

namespace shiftadd::train {
namespace {

using autograd::Routing;
using autograd::Variable;

// Sets the routers of one block from the block's input in all batches.
class BlockCalibrator {
 public:
  BlockCalibrator(const layers::Model& model, int64_t block, std::vector<Router> routers)
      : model_(model), block_(block), routers_(std::move(routers)) {}

  // Sets the routers and replaces `batches`, the block's inputs, by its outputs.
  std::vector<CalibratedShare> run(std::vector<Tensor>& batches, double target) const {
    std::vector<CalibratedShare> result;
    for (std::size_t r = 0; r < routers_.size(); ++r) {
      const std::vector<float> differences = differences_of(r, batches);
      const double moved = bias_for_share(differences, target);
      result.push_back(
          {.name = routers_[r].name, .before = share_of(differences), .after = 0, .moved = moved});
      add_to_bias(routers_[r], moved);
    }
    std::vector<std::vector<float>> after(routers_.size());
    for (Tensor& batch : batches) {
      std::vector<Routing> routings;
      batch = forward(batch, routings);
      for (std::size_t r = 0; r < routers_.size(); ++r) append(routings[r], after[r]);
    }
    for (std::size_t r = 0; r < routers_.size(); ++r) result[r].after = share_of(after[r]);
    return result;
  }

 private:
  Tensor forward(const Tensor& input, std::vector<Routing>& routings) const {
    layers::Context context;
    context.routings = &routings;
    const Tensor output = model_.run_block(block_, Variable(input), context).value();
    if (routings.size() != routers_.size())
      throw failure("[calibrate] block ", block_, " has ", routings.size(), " routings, expected ",
                    routers_.size());
    return output;
  }

  std::vector<float> differences_of(std::size_t router, const std::vector<Tensor>& batches) const {
    std::vector<float> differences;
    for (const Tensor& batch : batches) {
      std::vector<Routing> routings;
      forward(batch, routings);
      append(routings[router], differences);
    }
    if (!std::all_of(differences.begin(), differences.end(),
                     [](float x) { return std::isfinite(x); }))
      throw user_error("[calibrate] ", routers_[router].name,
                       ": a logit of its router is not finite");
    return differences;
  }

  static void append(const Routing& routing, std::vector<float>& differences) {
    const Tensor& logits = routing.logits.value();
    for (int64_t t = 0; t < logits.dim(0); ++t)
      differences.push_back(logits.data<float>()[2 * t + 1] - logits.data<float>()[2 * t]);
  }

  // Equal logits go to Mult, the first of the largest.
  static double share_of(const std::vector<float>& differences) {
    const auto shifted =
        std::count_if(differences.begin(), differences.end(), [](float x) { return x > 0; });
    return static_cast<double>(shifted) / static_cast<double>(differences.size());
  }

  void add_to_bias(const Router& router, double moved) const {
    const std::vector<Parameter> parameters = parameters_of(model_.network());
    const auto bias =
        std::find_if(parameters.begin(), parameters.end(), [&](const Parameter& each) {
          return each.role == Role::kRouter && each.id == router.id && each.shape.size() == 1;
        });
    for (const auto& [name, variable] : model_.named_parameters())
      if (bias != parameters.end() && name == bias->name) {
        variable.value().data<float>()[1] += static_cast<float>(moved);
        return;
      }
    throw failure("[calibrate] the router of ", router.name, " has no bias");
  }

  const layers::Model& model_;
  int64_t block_;
  std::vector<Router> routers_;
};

}  // namespace

double bias_for_share(std::vector<float> differences, double target) {
  std::sort(differences.begin(), differences.end(), std::greater<>());
  const auto n = static_cast<int64_t>(differences.size());
  const double wanted = target * static_cast<double>(n);
  const auto at = [&](int64_t i) {
    return static_cast<double>(differences[static_cast<std::size_t>(i)]);
  };
  // A cut is possible before the first token, after the last, and wherever two neighbours differ.
  const auto cuts = [&](int64_t k) { return k == 0 || k == n || at(k - 1) > at(k); };
  const auto nearest = std::clamp<int64_t>(std::llround(wanted), 0, n);
  int64_t below = nearest, above = nearest;
  while (!cuts(below)) --below;
  while (!cuts(above)) ++above;
  const int64_t k =
      wanted - static_cast<double>(below) < static_cast<double>(above) - wanted ? below : above;
  constexpr double kMargin = 1e-2;  // beyond the last token, far more than a rounding
  if (k == 0) return -at(0) - kMargin * std::max(1.0, std::abs(at(0)));
  if (k == n) return -at(n - 1) + kMargin * std::max(1.0, std::abs(at(n - 1)));
  return -(at(k - 1) + at(k)) / 2;
}

std::vector<CalibratedShare> calibrate_shares(layers::Model& model, const NextImages& next_images,
                                              int64_t batches, double target) {
  if (!(target > 0 && target < 1))
    throw user_error("[calibrate] the target share is ", target, ": expected 0 < share < 1");
  if (batches < 1)
    throw user_error("[calibrate] ", batches, " batches of images: expected at least one");
  std::vector<CalibratedShare> result;
  const std::vector<Router> routers = routers_of(model.network());
  if (routers.empty()) return result;

  const autograd::NoGradGuard no_grad;
  std::vector<Tensor> activations;
  for (int64_t i = 0; i < batches; ++i)
    activations.push_back(model.embed(Variable(next_images()), {}).value());
  for (int64_t i = 0; i < model.network().depth() && result.size() < routers.size(); ++i) {
    std::vector<Router> own;
    std::copy_if(routers.begin(), routers.end(), std::back_inserter(own),
                 [i](const Router& router) { return router.id.block == i; });
    for (CalibratedShare& share : BlockCalibrator(model, i, own).run(activations, target))
      result.push_back(std::move(share));
  }
  return result;
}

std::string to_text(const CalibratedShare& share) {
  char text[160];
  std::snprintf(text, sizeof text, "%s: %.1f %% -> %.1f %% of tokens on Shift", share.name.c_str(),
                100 * share.before, 100 * share.after);
  return text;
}

}  // namespace shiftadd::train
