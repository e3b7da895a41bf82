// Makes each weight of the next stage's network, rescales its attention, and lists what changes.
#include "layers/surgery.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "autograd/ops.h"
#include "layers/linear.h"
#include "model/op_count.h"

namespace shiftadd::layers {
namespace {

constexpr uint64_t kRouterStream = 0x726f75746572;  // "router"

// "'deit' cannot become 'vit' (depth 6 instead of 12)".
std::string cannot_become(const ModelSpec& from, const ModelSpec& to) {
  return concat("'", from.name, "' cannot become '", to.name, "' (", spec_difference(to, from),
                ")");
}

// Only the conversion may differ.
void require_same_sizes(const ModelSpec& from, const ModelSpec& to) {
  ModelSpec plain = to;
  plain.shift_add = from.shift_add;
  if (!spec_difference(plain, from).empty())
    throw user_error("[surgery] ", cannot_become(from, to), ": their sizes differ");
}

// Where a network holds what a parameter of another starts from.
struct Place {
  LayerId id;
  Role role;
  std::size_t rank;  // tells weight and bias of a router or the head apart
  auto operator<=>(const Place&) const = default;
};
Place place_of(const Parameter& parameter) {
  return {parameter.id, parameter.role, parameter.shape.size()};
}

// Parameters that the next stage's may start from.
class Origins {
 public:
  explicit Origins(const Network& network) : parameters_(parameters_of(network)) {
    for (const Parameter& parameter : parameters_) places_.emplace(place_of(parameter), &parameter);
  }
  // The same numbers: a layer that multiplies and the latent weight of form q are.
  const Parameter* same(const Parameter& parameter) const {
    if (parameter.role == Role::kMatrix)
      return find(parameter, {Role::kMatrix, Role::kShiftWeight});
    if (parameter.role == Role::kShiftWeight)
      return find(parameter, {Role::kShiftWeight, Role::kMatrix});
    return find(parameter, {parameter.role});
  }
  // The weight that a latent shift or sign of form ps is made from.
  const Parameter* weight(const Parameter& parameter) const {
    if (parameter.role != Role::kShiftPower && parameter.role != Role::kShiftSign) return nullptr;
    return find(parameter, {Role::kShiftWeight, Role::kMatrix});
  }
  static bool is_new(Role role) {
    return role == Role::kRouter || role == Role::kFilter || role == Role::kTemperature;
  }
  // Throws Error (user), beginning with `refusal`, where a parameter of `to` has none.
  void require_for(const Network& to, const std::string& refusal) const {
    for (const Parameter& parameter : parameters_of(to))
      if (!same(parameter) && !is_new(parameter.role) && !weight(parameter))
        throw user_error(refusal, ": ", parameter.name, " has nothing to start from");
  }

 private:
  // In the same layer or expert, else in the layer before it became a mixture.
  const Parameter* find(const Parameter& parameter, const std::vector<Role>& roles) const {
    for (const int64_t expert : {parameter.id.expert, LayerId::kNoExpert})
      for (const Role role : roles) {
        Place place = place_of(parameter);
        place.id.expert = expert;
        place.role = role;
        const auto found = places_.find(place);
        if (found != places_.end() && found->second->shape == parameter.shape) return found->second;
      }
    return nullptr;
  }

  std::vector<Parameter> parameters_;
  std::map<Place, const Parameter*> places_;
};

// The weights of `to`. refusal: how the error begins where something has nothing to start from.
NamedTensors carry(const Network& from, const Network& to, const NamedTensors& weights,
                   uint64_t seed, const std::string& refusal) {
  const Origins origins(from);
  origins.require_for(to, refusal);
  const std::map<std::string, Tensor> by_name(weights.begin(), weights.end());
  const auto value_at = [&](const Parameter& origin) {
    const auto found = by_name.find(origin.name);
    if (found == by_name.end())
      throw user_error(refusal, ": there is no weight ", origin.name, " to start from");
    return found->second;
  };
  Random random(seed, kRouterStream);
  NamedTensors result;
  for (const Parameter& parameter : parameters_of(to)) {
    Tensor value;
    if (const Parameter* origin = origins.same(parameter)) {
      value = value_at(*origin).clone();
    } else if (parameter.role == Role::kRouter && parameter.shape.size() == 2) {
      value = normal_weights(parameter.shape, random);
    } else if (Origins::is_new(parameter.role)) {
      value = Tensor::full(parameter.shape, parameter.role == Role::kTemperature ? 1 : 0);
    } else {
      const auto [power, sign] = shift_and_sign_of(value_at(*origins.weight(parameter)));
      value = parameter.role == Role::kShiftPower ? power : sign;
    }
    result.emplace_back(parameter.name, value);
  }
  return result;
}

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

// Scales the weights of one block's attention by what was measured of each head.
class Rescaler {
 public:
  Rescaler(const Network& network, NamedTensors& weights)
      : network_(network), parameters_(parameters_of(network)), weights_(weights) {}

  // Returns the least and the largest mean norm of a head.
  std::pair<double, double> run(int64_t block, const AttentionTrace& trace, bool coded,
                                bool normed) {
    constexpr double kTargetRms = 0.7;
    const BlockSpec& spec = block_at(network_, block);
    const int64_t head = spec.attention.head_dim;
    std::vector<Tensor> q, k, columns;
    int64_t k_row = 0;  // where k begins among the outputs of its layer
    for (const LinearPlace& place : linear_layers(spec)) {
      if (!scalable(place.spec.kind)) continue;
      const auto take = [&](std::initializer_list<Role> roles) {
        return own(block, place.layer, roles);
      };
      const auto rows = {Role::kMatrix, Role::kShiftWeight, Role::kBias};
      if (coded && place.layer == Layer::kQkv) {
        q = k = take(rows);
        k_row = spec.attention.heads * head;
      }
      if (coded && place.layer == Layer::kQ) q = take(rows);
      if (coded && place.layer == Layer::kKv) k = take(rows);
      if (normed && place.layer == Layer::kProj)
        columns = take({Role::kMatrix, Role::kShiftWeight});
    }
    double least = INFINITY, most = 0;
    for (int64_t begin = 0; begin < spec.attention.heads * head; begin += head) {
      const auto fill_window = [&](const std::vector<Tensor>& tensors, int64_t first,
                                   const Tensor& values, int64_t column) {
        const double rms = root_mean_square(values, column, column + head);
        for (const Tensor& tensor : tensors)
          scale_rows(tensor, first, first + head,
                     static_cast<float>(kTargetRms / std::max(rms, 1e-12)));
      };
      fill_window(q, begin, trace.q, begin);
      fill_window(k, k_row + begin, trace.k, trace.k_column + begin);
      const double norm = mean_norm(trace.attended, begin, begin + head);
      for (const Tensor& tensor : columns)
        scale_columns(tensor, begin, begin + head, static_cast<float>(norm));
      least = std::min(least, norm), most = std::max(most, norm);
    }
    return {least, most};
  }

 private:
  // Latent shifts and signs cannot be scaled.
  bool scalable(LayerKind kind) const {
    return kind == LayerKind::kMultiply || network_.options.form == ShiftForm::kQ;
  }
  // A layer's weights or biases, both experts' where it is a mixture; own copies, because a file's
  // weights cannot be written.
  std::vector<Tensor> own(int64_t block, Layer layer, std::initializer_list<Role> roles) {
    std::vector<Tensor> found;
    for (const Parameter& parameter : parameters_) {
      const bool wanted = parameter.id.block == block && parameter.id.layer == layer &&
                          std::find(roles.begin(), roles.end(), parameter.role) != roles.end();
      for (auto& [name, tensor] : weights_)
        if (wanted && name == parameter.name) found.push_back(tensor = tensor.clone());
    }
    return found;
  }

  const Network& network_;
  const std::vector<Parameter> parameters_;
  NamedTensors& weights_;
};

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
  Origins(network_of(from))
      .require_for(network_of(to), "surgery.recipe: " + cannot_become(from, to));
  return to;
}

NamedTensors carry_weights(const ModelSpec& from, const ModelSpec& to, const NamedTensors& weights,
                           uint64_t seed) {
  require_same_sizes(from, to);
  return carry(network_of(from), network_of(to), weights, seed,
               "[surgery] " + cannot_become(from, to));
}
NamedTensors carry_weights(const Network& from, const Network& to, const NamedTensors& weights,
                           uint64_t seed) {
  return carry(from, to, weights, seed, "[surgery] the networks differ");
}

std::vector<std::string> rescale_attention(const ModelSpec& from, const ModelSpec& to,
                                           const Tensor& images, NamedTensors& weights) {
  require_same_sizes(from, to);
  return rescale_attention(network_of(from), network_of(to), images, weights);
}

std::vector<std::string> rescale_attention(const Network& from, const Network& to,
                                           const Tensor& images, NamedTensors& weights) {
  Model model(from, {}, 0);
  model.load_state_dict(weights);
  std::vector<AttentionTrace> traces;
  Context context;
  context.traces = &traces;
  const autograd::NoGradGuard no_grad;
  model.forward(Variable(images), context);
  Rescaler rescaler(from, weights);
  std::vector<std::string> lines;
  for (int64_t i = 0; i < from.depth(); ++i) {
    const AttentionSpec &was = block_at(from, i).attention, &becomes = block_at(to, i).attention;
    const bool coded = becomes.adds() && !was.adds(),
               normed = becomes.local.has_value() && !was.local.has_value();
    if (!coded && !normed) continue;
    const auto [least, most] = rescaler.run(i, traces[static_cast<std::size_t>(i)], coded, normed);
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
