// The networks of a run: the one that is trained, and its teacher.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "layers/model.h"
#include "train/config.h"

namespace shiftadd::train {

/// What printed costs assume where nothing says what routers are to come to.
constexpr double kUsualShiftShare = 0.6;

using Say = std::function<void(const std::string&)>;  // receives a line for the user

/// The share of tokens on Shift that the routers of `spec` are trained or calibrated towards, by
/// which costs are printed before: of latencies Mult's part of both, with which the two experts
/// take as long; kUsualShiftShare where nothing aims at a share, or there is no router. Throws
/// Error (user) as read_latency.
double aimed_shift_share(const RouterConfig& router, const ModelSpec& spec);

/// The network the configuration trains on `classes` classes: config.model, converted as the start
/// (config.init) already is, after config.surgery.
/// `planned`: what config.init.checkpoint will hold, where it does not exist yet.
ModelSpec planned_spec(const TrainConfig& config, int64_t classes,
                       const ModelSpec* planned = nullptr);

/// Throws Error (user) where a pattern of config.train.freeze names no parameter of `spec`, or all
/// are frozen.
void require_freezable(const TrainConfig& config, const ModelSpec& spec);

/// A new network of `spec` with the parameters of config.train.freeze frozen, started from
/// config.init and converted by config.surgery where those are given; not when `resumed`, because a
/// checkpoint's weights follow. `sample` gives training images (B, C, S, S) to measure on.
/// Throws Error (user): another architecture in the file, a pattern that matches nothing, nothing
/// left to train.
std::unique_ptr<layers::Model> make_network(const TrainConfig& config, const ModelSpec& spec,
                                            const std::vector<std::string>& classes, bool resumed,
                                            const std::function<Tensor()>& sample, const Say& say);

/// The network a run of `spec` starts from, before surgery. config.init.checkpoint is not empty.
std::unique_ptr<layers::Model> make_start(const TrainConfig& config, const ModelSpec& spec,
                                          const std::vector<std::string>& classes);

/// The teacher, frozen; null where the configuration names none. Throws Error (user) when it takes
/// other images (size, normalisation) or knows other classes than the student.
std::unique_ptr<layers::Model> make_teacher(const TrainConfig& config, const ModelSpec& spec,
                                            const std::vector<std::string>& classes);

}  // namespace shiftadd::train
