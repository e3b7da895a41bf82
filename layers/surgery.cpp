// Makes each weight of the next stage's network, rescales its attention, and lists what changes.
#include "layers/surgery.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "autograd/ops.h"
#include "core/model/op_count.h"
#include "layers/linear.h"

namespace shiftadd::layers {
namespace {

constexpr uint64_t kRouterStream = 0x726f75746572;  // "router"

bool uses_codes(AttentionKind kind) {
  return kind == AttentionKind::kSoftmaxAdd || kind == AttentionKind::kLinearAdd;
}

Error cannot_become(const ModelSpec& from, const ModelSpec& to, const std::string& why) {
  return user_error("[surgery] '", from.name, "' cannot become '", to.name, "' (",
                    spec_difference(to, from), "): ", why);
}

// Only the conversion may differ.
void require_same_sizes(const ModelSpec& from, const ModelSpec& to) {
  ModelSpec plain = to;
  plain.shift_add = from.shift_add;
  if (!spec_difference(plain, from).empty()) throw cannot_become(from, to, "their sizes differ");
}

std::string replaced(const std::string& text, const std::string& part, const std::string& by) {
  const std::size_t at = text.find(part);
  return at == std::string::npos ? text : text.substr(0, at) + by + text.substr(at + part.size());
}

// Returns the names under which `from` may hold what `name` starts from, the nearest first.
std::vector<std::string> sources_of(const std::string& name) {
  std::vector<std::string> names = {name};
  for (const char* expert : {".experts.0", ".experts.1"})
    if (name.find(expert) != std::string::npos) names.push_back(replaced(name, expert, ""));
  return names;
}

class Carrier {
 public:
  Carrier(const ModelSpec& from, const ModelSpec& to, const NamedTensors& weights, uint64_t seed)
      : from_(from), to_(to), random_(seed, kRouterStream) {
    for (const auto& [name, tensor] : weights) old_.emplace(name, tensor);
  }

  NamedTensors run() {
    NamedTensors result;
    for (const ParameterInfo& info : parameters_of(to_))
      result.emplace_back(info.name, value_of(info));
    return result;
  }

 private:
  Tensor value_of(const ParameterInfo& info) {
    if (const Tensor* found = find(info.name, info.shape)) return found->clone();
    if (info.name.ends_with(".router.weight")) return normal_weights(info.shape, random_);
    if (info.name.ends_with(".router.bias") || info.name.find("token_conv") != std::string::npos)
      return Tensor::zeros(info.shape);
    // The latent form ps is made from a weight.
    const bool shift = info.name.ends_with(".shift"), sign = info.name.ends_with(".sign");
    if (shift || sign) {
      const std::string weight = info.name.substr(0, info.name.rfind('.')) + ".weight";
      if (const Tensor* found = find(weight, info.shape)) {
        const auto [p, s] = shift_and_sign_of(*found);
        return shift ? p : s;
      }
    }
    throw cannot_become(from_, to_, info.name + " has nothing to start from");
  }
  const Tensor* find(const std::string& name, const Shape& shape) const {
    for (const std::string& source : sources_of(name)) {
      const auto found = old_.find(source);
      if (found != old_.end() && found->second.shape() == shape) return &found->second;
    }
    return nullptr;
  }

  const ModelSpec &from_, &to_;
  std::map<std::string, Tensor> old_;
  Random random_;
};

// Multiplies rows [begin, end) of a weight (rows, columns), or of a bias (rows), by factor.
void scale_rows(const Tensor& tensor, int64_t begin, int64_t end, float factor) {
  const int64_t columns = tensor.numel() / tensor.dim(0);
  float* values = tensor.data<float>();
  for (int64_t i = begin * columns; i < end * columns; ++i) values[i] *= factor;
}

void scale_columns(const Tensor& tensor, int64_t begin, int64_t end, float factor) {
  const int64_t columns = tensor.dim(1);
  for (int64_t row = 0; row < tensor.dim(0); ++row)
    for (int64_t j = begin; j < end; ++j) tensor.data<float>()[row * columns + j] *= factor;
}

// Returns the root mean square of columns [begin, end) over all rows of x (..., C).
double root_mean_square(const Tensor& x, int64_t begin, int64_t end) {
  const int64_t columns = x.dim(-1), rows = x.numel() / columns;
  double sum = 0;
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t j = begin; j < end; ++j) {
      const double value = x.data<float>()[row * columns + j];
      sum += value * value;
    }
  return std::sqrt(sum / static_cast<double>(rows * (end - begin)));
}

// Returns the mean over rows of the norm of columns [begin, end).
double mean_norm(const Tensor& x, int64_t begin, int64_t end) {
  const int64_t columns = x.dim(-1), rows = x.numel() / columns;
  double total = 0;
  for (int64_t row = 0; row < rows; ++row) {
    double sum = 0;
    for (int64_t j = begin; j < end; ++j) {
      const double value = x.data<float>()[row * columns + j];
      sum += value * value;
    }
    total += std::sqrt(sum);
  }
  return total / static_cast<double>(rows);
}

// Lists what differs: "attention softmax -> linear_add, mlp multiply -> mixture".
std::string changes_between(const BlockKinds& from, const BlockKinds& to) {
  std::string text;
  const auto change = [&text](const char* layer, auto was, auto becomes) {
    if (was == becomes) return;
    text += concat(text.empty() ? "" : ", ", layer, " ", name_of(was), " -> ", name_of(becomes));
  };
  change("attention", from.attention, to.attention);
  change("qkv", from.qkv, to.qkv);
  change("proj", from.proj, to.proj);
  change("mlp", from.mlp, to.mlp);
  return text;
}

// Lists the options that change for layers converted earlier: "codes sign -> unit_head, value int8
// -> float".
std::string changed_options(const ShiftAddSpec& from, const ShiftAddSpec& to) {
  std::string text;
  const auto change = [&text](const char* key, const std::string& was, const std::string& is) {
    if (was != is) text += concat(text.empty() ? "" : ", ", key, " ", was, " -> ", is);
  };
  const auto activations = [](const ShiftAddSpec& spec) {
    return spec.int8_activations ? "int8" : "float";
  };
  change("codes", name_of(from.codes), name_of(to.codes));
  change("local", name_of(from.local), name_of(to.local));
  change("value", name_of(from.values), name_of(to.values));
  change("form", name_of(from.form), name_of(to.form));
  change("format", name_of(from.format), name_of(to.format));
  change("activations", activations(from), activations(to));
  change("gate", name_of(from.gate), name_of(to.gate));
  return text;
}

}  // namespace

ModelSpec apply_recipe(const ModelSpec& from, const ShiftAddSpec& options,
                       const std::vector<SurgeryStep>& steps) {
  ModelSpec to = from;
  to.shift_add = options;
  to.shift_add.blocks.clear();
  for (int64_t i = 0; i < from.depth; ++i) to.shift_add.blocks.push_back(from.block(i));
  for (const SurgeryStep& step : steps) {
    const int64_t last = step.last < 0 ? from.depth - 1 : step.last;
    if (step.first < 0 || step.first > last || last >= from.depth)
      throw user_error(
          "surgery.recipe: ",
          step.first == last ? concat("block ", last) : concat("blocks ", step.first, " to ", last),
          ": the network '", from.name, "' has blocks 0 to ", from.depth - 1);
    for (int64_t i = step.first; i <= last; ++i) {
      BlockKinds& block = to.shift_add.blocks[static_cast<std::size_t>(i)];
      block.attention = step.attention.value_or(block.attention);
      block.qkv = step.qkv.value_or(block.qkv);
      block.proj = step.proj.value_or(block.proj);
      block.mlp = step.mlp.value_or(block.mlp);
    }
  }
  validate(to);
  return to;
}

NamedTensors carry_weights(const ModelSpec& from, const ModelSpec& to, const NamedTensors& weights,
                           uint64_t seed) {
  require_same_sizes(from, to);
  return Carrier(from, to, weights, seed).run();
}

std::vector<std::string> rescale_attention(const ModelSpec& from, const ModelSpec& to,
                                           const Tensor& images, NamedTensors& weights) {
  require_same_sizes(from, to);
  constexpr double kTargetRms = 0.7;
  // Returns the layer's tensors that are `part`, or both experts' where the layer is a mixture.
  // Each becomes a copy of its own first, because a file's weights cannot be written.
  const auto own = [&weights](const std::string& layer, const std::string& part) {
    std::vector<Tensor> found;
    for (auto& [name, tensor] : weights)
      if (name == layer + part || name == layer + ".experts.0" + part ||
          name == layer + ".experts.1" + part)
        found.push_back(tensor = tensor.clone());
    return found;
  };
  // Latent shifts and signs cannot be scaled.
  const auto scalable = [&from](LayerKind kind) {
    return kind == LayerKind::kMultiply || from.shift_add.form == ShiftForm::kQ;
  };
  Vit model(from, {}, 0);
  model.load_state_dict(weights);
  std::vector<AttentionTrace> traces;
  Context context;
  context.traces = &traces;
  const autograd::NoGradGuard no_grad;
  model.forward(Variable(images), context);
  std::vector<std::string> lines;
  const int64_t head = from.head_dim(), width = from.width;
  for (int64_t i = 0; i < from.depth; ++i) {
    const BlockKinds was = from.block(i), becomes = to.block(i);
    const bool coded = uses_codes(becomes.attention) && !uses_codes(was.attention);
    const bool normed = becomes.is_linear() && !was.is_linear();
    if (!coded && !normed) continue;
    const AttentionTrace& trace = traces[static_cast<std::size_t>(i)];
    const std::string qkv = concat("blocks.", i, ".attn.qkv"),
                      proj = concat("blocks.", i, ".attn.proj");
    std::vector<Tensor> rows, columns;
    if (coded && scalable(was.qkv)) {
      rows = own(qkv, ".weight");
      for (const Tensor& bias : own(qkv, ".bias")) rows.push_back(bias);
    }
    if (normed && scalable(was.proj)) columns = own(proj, ".weight");
    double least = INFINITY, most = 0;
    for (int64_t h = 0; h < from.heads; ++h) {
      for (const int64_t part : {int64_t{0}, width}) {  // q, k
        const int64_t begin = part + h * head;
        const double rms = root_mean_square(trace.qkv, begin, begin + head);
        for (const Tensor& tensor : rows)
          scale_rows(tensor, begin, begin + head,
                     static_cast<float>(kTargetRms / std::max(rms, 1e-12)));
      }
      const double norm = mean_norm(trace.attended, h * head, (h + 1) * head);
      for (const Tensor& tensor : columns)
        scale_columns(tensor, h * head, (h + 1) * head, static_cast<float>(norm));
      least = std::min(least, norm), most = std::max(most, norm);
    }
    char line[120];
    std::snprintf(line, sizeof line,
                  "block %lld: outputs of the replaced heads have norms %.3f to %.3f",
                  static_cast<long long>(i), least, most);
    lines.emplace_back(line);
  }
  return lines;
}

std::vector<std::string> describe_surgery(const ModelSpec& from, const ModelSpec& to,
                                          double shift_share) {
  std::vector<std::string> lines;
  for (int64_t i = 0; i < from.depth; ++i)
    if (!(from.block(i) == to.block(i)))
      lines.push_back(concat("block ", i, ": ", changes_between(from.block(i), to.block(i))));
  const std::string options = changed_options(from.shift_add, to.shift_add);
  if (from.converted() && !options.empty())
    lines.push_back("layers converted earlier change, too: " + options);
  const auto multiplications = [&](const ModelSpec& spec) {
    const std::vector<double> shares(routers_of(spec).size(), shift_share);
    return static_cast<double>(count_operations(spec, shares).total.multiplications);
  };
  char line[120];
  std::snprintf(line, sizeof line, "%.1f %% of the multiplications left",
                100 * multiplications(to) / multiplications(from));
  lines.emplace_back(line);
  if (!routers_of(to).empty() && to.shift_add.gate != GateKind::kFixedSplit) {
    std::snprintf(line, sizeof line, ", at %.0f %% of tokens shifted", 100 * shift_share);
    lines.back() += line;
  }
  return lines;
}

}  // namespace shiftadd::layers
