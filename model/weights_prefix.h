// Under which prefix a file's tensors hold the network, where several could.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/network.h"

namespace shiftadd {

/// A tensor of the file under its name after renaming.
struct NamedShape {
  std::string name;
  Shape shape;
};

struct WeightsPrefix {
  std::string prefix;               // "", "module.", "model.encoder.", ...
  std::vector<std::string> copies;  // other prefixes under which most of the network lies
  std::string problem;              // why none could be chosen; empty: one was
};

/// A prefix counts only where it fits most of the network's parameters, by name. Of several,
/// those whose shapes fit count, then those that are no moving average (is_average_name), then
/// those that have every parameter, then none at all (""); where two are left, it is a problem that
/// names them. `wanted` settles it.
WeightsPrefix choose_prefix(const std::vector<NamedShape>& tensors,
                            const std::vector<Parameter>& parameters,
                            const std::optional<std::string>& wanted);

/// Equal but for dimensions of 1: (65, 128) and (1, 65, 128).
bool differs_in_ones_only(const Shape& a, const Shape& b);

}  // namespace shiftadd
