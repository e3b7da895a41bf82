// Runs a network on all batches of a set, and collects its answers and its routers' shares.
#include "train/evaluation.h"

#include <algorithm>
#include <cstdio>
#include <numeric>

namespace shiftadd::train {
namespace {

// A share this close to 0 or 1 is a collapse.
constexpr double kCollapsed = 0.01;

}  // namespace

double mean_share(const std::vector<double>& shift_shares) {
  if (shift_shares.empty()) return 0;
  return std::accumulate(shift_shares.begin(), shift_shares.end(), 0.0) /
         static_cast<double>(shift_shares.size());
}

std::function<void(int64_t, int64_t)> validation_report(Reporter& reporter,
                                                        const std::string& name) {
  const std::string title = name.empty() ? "validation" : "validation of " + name;
  return [&reporter, title](int64_t done, int64_t batches) {
    reporter.at({title, done, batches, {concat(done, "/", batches)}});
  };
}

std::optional<Validation> evaluate(const EvaluationTask& task, const std::atomic<bool>& stop) {
  const auto& [model, set, loader, name, report, class_of] = task;
  const autograd::NoGradGuard no_grad;
  const int64_t classes = model.network().outputs();
  const std::size_t routers = routers_of(model.network()).size();
  Validation result{.answers = Evaluation(classes), .shift_shares = {}, .right = {}};
  std::vector<int64_t> shifted(routers), tokens(routers);  // of those that each router has seen
  loader.start(0);
  while (const std::optional<data::Batch> batch = loader.next()) {
    if (stop) return std::nullopt;
    std::vector<autograd::Routing> routings;
    layers::Context context;
    if (routers > 0) context.routings = &routings;
    const autograd::Variable logits = model.forward(autograd::Variable(batch->images), context);
    for (std::size_t i = 0; i < routers; ++i) {
      const auto& choice = routings[i].choice;
      shifted[i] += std::count(choice.begin(), choice.end(), kShiftExpert);
      tokens[i] += static_cast<int64_t>(choice.size());
    }
    const float* row = logits.value().data<float>();
    for (std::size_t i = 0; i < batch->labels.size(); ++i) {
      const int64_t given = batch->labels[i];
      const int64_t label = class_of.empty() ? given : class_of[static_cast<std::size_t>(given)];
      if (const std::string bad = nonfinite_logit(row, classes); !bad.empty())
        throw failure(name, ": its logits for ", set.full_name(batch->samples[i]),
                      " are not finite (", bad, "): its weights, or what they compute, overflow");
      const int64_t right = result.answers.top1_count();
      result.answers.add(row, label);
      result.right += result.answers.top1_count() > right ? '1' : '0';
      row += classes;
    }
    if (report) report(batch->index + 1, loader.batches());
  }
  for (std::size_t i = 0; i < routers; ++i)
    result.shift_shares.push_back(
        tokens[i] > 0 ? static_cast<double>(shifted[i]) / static_cast<double>(tokens[i]) : 0);
  return result;
}

std::vector<std::string> collapsed_routers(const ModelSpec& spec,
                                           const std::vector<double>& shift_shares) {
  std::vector<std::string> lines;
  const std::vector<std::string> routers = router_names(spec);
  for (std::size_t i = 0; i < routers.size(); ++i) {
    const double share = shift_shares[i];
    if (share >= kCollapsed && share <= 1 - kCollapsed) continue;
    char line[200];
    std::snprintf(line, sizeof line,
                  "warning: the router of %s has collapsed: %.1f %% of the tokens go to %s",
                  routers[i].c_str(), 100 * std::max(share, 1 - share),
                  share > 0.5 ? "Shift" : "Mult");
    lines.emplace_back(line);
  }
  return lines;
}

}  // namespace shiftadd::train
