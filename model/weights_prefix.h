// In which publisher's names, and under which prefix, a file's tensors hold the network.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/dialect.h"
#include "model/network.h"

namespace shiftadd {

/// A tensor under a name, the file's or ours.
struct NamedShape {
  std::string name;
  Shape shape;
};

struct NamesChoice {
  const Dialect* dialect = nullptr;  // of those that were given
  std::string prefix;                // "", "module.", "model.encoder.", ...
  std::vector<std::string> copies;   // other prefixes under which most of the network lies
  std::string problem;               // why none could be chosen; empty: one was
};

/// A prefix counts only where most of the network lies under it, by the names that a dialect makes
/// of what follows it; of dialects, the one that knows most of them. Of several prefixes, those with
/// a patch embedding count, then those whose shapes fit, then those that are no moving average
/// (is_average_name), then those that have every parameter, then none at all (""); where two are
/// left, it is a problem that names them. `wanted` settles it. Without `parameters`, the network is
/// what any vision transformer here has, as much of it as the best prefix has.
NamesChoice choose_names(const std::vector<NamedShape>& tensors,
                         const std::vector<Dialect>& dialects,
                         const std::vector<Parameter>* parameters,
                         const std::optional<std::string>& wanted);

/// Whether a vision transformer of some description has a parameter of this name.
bool is_parameter_name(const std::string& name);

/// Equal but for dimensions of 1: (65, 128) and (1, 65, 128).
bool differs_in_ones_only(const Shape& a, const Shape& b);

}  // namespace shiftadd
