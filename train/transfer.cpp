// Trains replaced attention, in all blocks at once, to answer as the dense network's does.
#include "train/transfer.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>

#include "autograd/ops.h"
#include "core/parallel.h"
#include "core/random.h"
#include "train/losses.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "train/temperature.h"

namespace shiftadd::train {
namespace {

using autograd::Variable;
using layers::AttentionTrace;

constexpr double kRouterNoise = 0.5;              // a stage's first
constexpr uint64_t kStream = 0x7472616e73666572;  // "transfer"

// The parameters of the given blocks' attention, routers apart, by name.
std::set<std::string> attention_of(const Network& network, const std::vector<int64_t>& blocks) {
  std::set<std::string> names;
  for (const Parameter& parameter : parameters_of(network))
    if (parameter.id.is_attention() && parameter.role != Role::kRouter &&
        std::binary_search(blocks.begin(), blocks.end(), parameter.id.block))
      names.insert(parameter.name);
  return names;
}

// Inside its scope only the attention of the given blocks requires a gradient, without routers.
class Selection {
 public:
  Selection(const layers::Model& model, const std::vector<int64_t>& blocks) {
    const std::set<std::string> attention = attention_of(model.network(), blocks);
    for (auto& [name, parameter] : model.named_parameters()) {
      if (!parameter.requires_grad()) continue;
      if (attention.contains(name)) {
        chosen_.emplace_back(name, parameter);
      } else {
        parameter.set_requires_grad(false);
        others_.push_back(parameter);
      }
    }
  }
  ~Selection() {
    for (Variable& parameter : others_) parameter.set_requires_grad(true);
  }
  Selection(const Selection&) = delete;
  Selection& operator=(const Selection&) = delete;
  const NamedParameters& chosen() const { return chosen_; }

 private:
  NamedParameters chosen_;
  std::vector<Variable> others_;
};

// Returns what brings the stream `own` to where t brings x; all are (B, N, C).
Tensor corrected(const Tensor& t, const Tensor& x, const Tensor& own) {
  const Tensor result(t.shape());
  const float *a = t.data<float>(), *b = x.data<float>(), *c = own.data<float>();
  float* out = result.data<float>();
  parallel_chunks(t.numel(), 1 << 14, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) out[i] = a[i] + (b[i] - c[i]);
  });
  return result;
}

class Transfer {
 public:
  Transfer(const layers::Model& student, const layers::Model& dense, std::vector<int64_t> blocks)
      : student_(student), dense_(dense), blocks_(std::move(blocks)) {}

  // Gives learned temperatures the value at which the products of codes come closest to the dense
  // network's, on the dense network's activations. Frozen ones stay, and those of codes that take
  // the place of other codes: they have been learned.
  void fit_temperatures(const Tensor& images) const {
    std::map<std::string, Variable> parameters;
    for (const auto& [name, parameter] : student_.named_parameters()) parameters[name] = parameter;
    std::vector<int64_t> fitted;
    for (int64_t i : blocks_) {
      const std::string& temperature = block_at(student_.network(), i).attention.temperature;
      if (!temperature.empty() && parameters.at(temperature).requires_grad() &&
          !block_at(dense_.network(), i).attention.adds())
        fitted.push_back(i);
    }
    if (fitted.empty()) return;
    Tensor x = embed(dense_, images);
    for (int64_t i = 0; i <= fitted.back(); ++i) {
      const Traced wanted = run(dense_, i, x);
      if (std::binary_search(fitted.begin(), fitted.end(), i)) {
        const AttentionSpec& attention = block_at(student_.network(), i).attention;
        const std::vector<double> best =
            fitted_temperatures(attention, run(student_, i, x).trace, wanted.trace);
        std::copy(best.begin(), best.end(),
                  parameters.at(attention.temperature).value().data<float>());
      }
      x = wanted.output;
    }
  }

  // Returns each block's error on the batch, in the order of the blocks, on the dense network's
  // activations or on the student's own; where recording, gradients are added. Blocks run one at a
  // time, so that no more than one block's activations are held.
  std::vector<double> errors(const Tensor& images, bool own, const layers::Context& context) const {
    std::vector<double> result;
    Tensor x = embed(dense_, images), mine = own ? embed(student_, images) : x;
    for (int64_t i = 0; i <= blocks_.back(); ++i) {
      const Traced wanted = run(dense_, i, x);
      const bool converted = std::binary_search(blocks_.begin(), blocks_.end(), i);
      const Traced is = own ? run(student_, i, mine) : wanted;
      if (converted) {
        const int64_t queries = student_.answers(i);
        const Tensor target = own ? corrected(wanted.trace.output, x, mine) : wanted.trace.output;
        const Variable error =
            relative_error(student_.attend(i, Variable(is.trace.input), queries, context), target);
        result.push_back(*error.value().data<float>());
        if (error.requires_grad()) error.backward();
      }
      x = wanted.output;
      mine = is.output;
    }
    return result;
  }

 private:
  struct Traced {
    AttentionTrace trace;
    Tensor output;  // of the whole block
  };

  template <class F>
  static Tensor unrecorded(F&& f) {
    const autograd::NoGradGuard guard;
    return f().value();
  }
  static Tensor embed(const layers::Model& model, const Tensor& images) {
    return unrecorded([&] { return model.embed(Variable(images), {}); });
  }
  static Traced run(const layers::Model& model, int64_t block, const Tensor& x) {
    std::vector<AttentionTrace> traces;
    layers::Context context;
    context.traces = &traces;
    const Tensor output = unrecorded([&] { return model.run_block(block, Variable(x), context); });
    return {traces[0], output};
  }

  const layers::Model &student_, &dense_;
  std::vector<int64_t> blocks_;
};

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

}  // namespace

std::vector<int64_t> transferred_blocks(const ModelSpec& student, const ModelSpec& dense) {
  ModelSpec same = student;
  same.shift_add = dense.shift_add;
  if (const std::string difference = spec_difference(same, dense); !difference.empty())
    throw user_error("[transfer] '", student.name, "' cannot learn the attention of '", dense.name,
                     "': their sizes differ: ", difference);
  return transferred_blocks(network_of(student), network_of(dense));
}

std::vector<int64_t> transferred_blocks(const Network& student, const Network& dense) {
  if (student.depth() != dense.depth())
    throw user_error("[transfer] ", student.depth(), " blocks cannot learn the attention of ",
                     dense.depth());
  std::vector<int64_t> blocks;
  for (int64_t i = 0; i < student.depth(); ++i) {
    const BlockSpec &own = block_at(student, i), &theirs = block_at(dense, i);
    if (own.tokens() != theirs.tokens() || own.width != theirs.width)
      throw user_error("[transfer] ", own.name, " has ", own.tokens(), " tokens of ", own.width,
                       " numbers, and cannot learn the attention of ", theirs.tokens(), " of ",
                       theirs.width);
    if (own.attention.kind != theirs.attention.kind) blocks.push_back(i);
  }
  return blocks;
}

std::optional<std::vector<BlockTransfer>> transfer_attention(
    layers::Model& student, const layers::Model& dense, const NextImages& next_images,
    const TransferOptions& options, const std::atomic<bool>& stop,
    const std::function<void(const TransferProgress&)>& report) {
  if (options.steps < 1 || !(options.lr > 0 && std::isfinite(options.lr)) ||
      !(options.warm_up >= 0 && options.warm_up < 1) || !(options.own >= 0 && options.own <= 1))
    throw user_error("[transfer] steps is ", options.steps, ", lr ", options.lr, ", warm_up ",
                     options.warm_up, ", own ", options.own,
                     ": expected steps >= 1, lr > 0, 0 <= warm_up < 1 and 0 <= own <= 1");
  const std::vector<int64_t> blocks = transferred_blocks(student.network(), dense.network());
  std::vector<BlockTransfer> result;
  if (blocks.empty()) return result;

  const Selection selection(student, blocks);
  OptimizerConfig config;
  config.weight_decay = 0;
  Optimizer optimizer(config, selection.chosen(), parameters_of(student.network()));
  const ScheduleConfig schedule = {
      .warmup_epochs = options.warm_up * static_cast<double>(options.steps),
      .warmup_lr = 0,
      .min_lr = 0};
  const Transfer transfer(student, dense, blocks);
  const auto evaluate_on = [&](const Tensor& images) {
    const autograd::NoGradGuard guard;
    return transfer.errors(images, options.own > 0, {});
  };

  Tensor images = next_images();
  const Tensor first = images.clone();
  transfer.fit_temperatures(first);
  const std::vector<double> before = evaluate_on(first);
  for (int64_t step = 0; step < options.steps; ++step) {
    if (stop) return std::nullopt;
    if (step > 0) images = next_images();
    const double progress = static_cast<double>(step) / static_cast<double>(options.steps);
    const layers::Context context{.training = true,
                                  .seed = options.seed,
                                  .stream = stream_of(kStream, static_cast<uint64_t>(step)),
                                  .router_noise = kRouterNoise,
                                  .code_slope = options.smooth_codes ? code_slope(progress) : 0};
    const bool own = progress >= 1 - options.own;
    const double error = mean_of(transfer.errors(images, own, context));
    if (!std::isfinite(error))
      throw failure("[transfer] step ", step + 1, ": the relative error is ", error,
                    ": a lower rate of the transfer may prevent it");
    // The rate is that of the middle of a step, so that the first and the last step move something.
    optimizer.step(
        learning_rate(schedule, options.lr, options.steps, static_cast<double>(step) + 0.5));
    optimizer.zero_grad();
    if (report) report({.step = step + 1, .steps = options.steps, .error = error});
  }
  const std::vector<double> after = evaluate_on(first);
  for (std::size_t i = 0; i < blocks.size(); ++i)
    result.push_back({.block = blocks[i], .before = before[i], .after = after[i]});
  return result;
}

std::string to_text(const BlockTransfer& transfer) {
  char text[120];
  std::snprintf(text, sizeof text, "block %lld: relative error of attention %.3f -> %.3f",
                static_cast<long long>(transfer.block), transfer.before, transfer.after);
  return text;
}

}  // namespace shiftadd::train
