// Weights of one network made to fit another number of classes or another image size.
#include <algorithm>

#include "layers/linear.h"
#include "layers/model.h"
#include "model/positions.h"

namespace shiftadd::layers {
namespace {

constexpr uint64_t kHeadStream = 0x4ead;

// Where `weights` hold this parameter, or null.
Tensor* find(NamedTensors& weights, const std::string& name) {
  for (auto& [each, tensor] : weights)
    if (each == name) return &tensor;
  return nullptr;
}

Tensor& weight_of(const Parameter& parameter, NamedTensors& weights) {
  Tensor* tensor = find(weights, parameter.name);
  if (!tensor) throw user_error("[adapt] the weights hold no ", parameter.name);
  if (tensor->shape() != parameter.shape)
    throw user_error("[adapt] ", parameter.name, " is ", tensor->shape(), ": expected ",
                     parameter.shape);
  return *tensor;
}

std::vector<Parameter> parameters_of(const ModelSpec& spec, Role role) {
  std::vector<Parameter> result = parameters_of(spec);
  std::erase_if(result, [&](const Parameter& each) { return each.role != role; });
  return result;
}

std::string head_change(int64_t from, int64_t to) {
  if (from == 0) return concat("head added: ", to, " classes");
  if (to == 0) return concat("head of ", from, " classes left out");
  return concat("head replaced: ", from, " classes before, ", to, " now");
}

}  // namespace

void select_head(const ModelSpec& from, const std::vector<int64_t>& rows, uint64_t seed,
                 NamedTensors& weights) {
  std::vector<std::pair<std::string, Tensor>> old;
  for (const Parameter& parameter : parameters_of(from, Role::kHead))
    old.emplace_back(parameter.name, weight_of(parameter, weights).to(DType::kF32));
  ModelSpec to = from;
  to.classes = static_cast<int64_t>(rows.size());
  Random random(seed, kHeadStream);
  for (const Parameter& parameter : parameters_of(to, Role::kHead)) {
    Tensor fresh = parameter.shape.size() > 1 ? normal_weights(parameter.shape, random)
                                              : Tensor::zeros(parameter.shape);
    const int64_t length = fresh.numel() / to.classes;
    if (const Tensor* kept = find(old, parameter.name))
      for (int64_t i = 0; i < to.classes; ++i)
        if (const int64_t row = rows[static_cast<std::size_t>(i)]; row >= 0)
          std::copy_n(kept->data<float>() + row * length, length, fresh.data<float>() + i * length);
    if (Tensor* place = find(weights, parameter.name))
      *place = std::move(fresh);
    else
      weights.emplace_back(parameter.name, std::move(fresh));
  }
  if (to.classes == 0)
    std::erase_if(weights, [&](auto& named) { return find(old, named.first) != nullptr; });
}

std::vector<std::string> adapt_weights(const ModelSpec& from, const ModelSpec& to, uint64_t seed,
                                       NamedTensors& weights) {
  validate(from);
  validate(to);
  ModelSpec same = to;  // what may differ, taken from `from`
  same.name = from.name;
  same.classes = from.classes;
  same.image_size = from.image_size;
  same.position_resize = from.position_resize;
  if (!(same == from))
    throw user_error("[adapt] the weights are of another network: ", spec_difference(from, same),
                     "; only the number of classes and the image size may differ");

  std::vector<std::string> changes;
  if (from.grid() != to.grid()) {
    resize_positions(from, to, weights);
    changes.push_back(concat("positions interpolated (", name_of(to.position_resize), ") from ",
                             from.grid(), " to ", to.grid(), " patches"));
  }
  if (from.classes != to.classes) {
    select_head(from, std::vector<int64_t>(static_cast<std::size_t>(to.classes), -1), seed,
                weights);
    changes.push_back(head_change(from.classes, to.classes));
  }
  return changes;
}

}  // namespace shiftadd::layers
