// Counts how many parameters lie under each prefix, and chooses the prefix that fits best.
#include "model/weights_prefix.h"

#include <algorithm>
#include <functional>
#include <map>
#include <unordered_map>

#include "core/io/average_name.h"

namespace shiftadd {
namespace {

struct Fit {
  std::string prefix;
  std::size_t names = 0, shapes = 0;  // parameters found, and those of the right shape
};

// Every prefix under which at least one parameter is found.
std::vector<Fit> fits_of(const std::vector<NamedShape>& tensors,
                         const std::vector<Parameter>& parameters) {
  constexpr std::size_t kLongest = 512;  // of a name: the search is quadratic in it
  std::unordered_map<std::string, const Shape*> known;
  for (const Parameter& parameter : parameters) known.emplace(parameter.name, &parameter.shape);
  std::map<std::string, Fit> fits;
  for (const NamedShape& tensor : tensors) {
    const std::string& name = tensor.name;
    if (name.size() > kLongest) continue;
    for (std::size_t at = 0; at != std::string::npos && at < name.size();) {
      if (const auto found = known.find(name.substr(at)); found != known.end()) {
        Fit& fit = fits[name.substr(0, at)];
        ++fit.names;
        fit.shapes += differs_in_ones_only(tensor.shape, *found->second);
      }
      at = name.find('.', at);
      if (at != std::string::npos) ++at;
    }
  }
  std::vector<Fit> list;
  for (auto& [prefix, fit] : fits) list.push_back({prefix, fit.names, fit.shapes});
  return list;
}

std::string listed(const std::vector<std::string>& prefixes) {
  std::string text;
  for (const std::string& each : prefixes) text += concat(text.empty() ? "" : ", ", "'", each, "'");
  return text;
}

}  // namespace

bool differs_in_ones_only(const Shape& a, const Shape& b) {
  const auto squeezed = [](Shape shape) {
    std::erase(shape, 1);
    return shape;
  };
  return squeezed(a) == squeezed(b);
}

WeightsPrefix choose_prefix(const std::vector<NamedShape>& tensors,
                            const std::vector<Parameter>& parameters,
                            const std::optional<std::string>& wanted) {
  const std::vector<Fit> all = fits_of(tensors, parameters);
  const auto is_most = [&](std::size_t count) { return 2 * count > parameters.size(); };
  std::vector<Fit> left;
  WeightsPrefix result;
  for (const Fit& fit : all) {
    if (!is_most(fit.names)) continue;
    left.push_back(fit);
    result.copies.push_back(fit.prefix);
  }
  const auto choose = [&](const std::string& prefix) {
    result.prefix = prefix;
    std::erase(result.copies, prefix);
    return result;
  };
  if (wanted) {
    const bool known =
        std::any_of(all.begin(), all.end(), [&](const Fit& fit) { return fit.prefix == *wanted; });
    if (!known)
      result.problem =
          concat("no tensor of the network lies under --prefix '", *wanted, "'",
                 left.empty() ? "" : concat("; most of them do under ", listed(result.copies)));
    return choose(*wanted);
  }
  if (left.empty()) {
    const auto best = std::max_element(
        all.begin(), all.end(), [](const Fit& a, const Fit& b) { return a.names < b.names; });
    if (best != all.end() && !best->prefix.empty())
      result.problem = concat("no prefix fits most of the network: the best, '", best->prefix,
                              "', has ", best->names, " of its ", parameters.size(), " tensors");
    return result;
  }
  const auto prefer = [&](const std::function<bool(const Fit&)>& is_preferred) {
    if (std::any_of(left.begin(), left.end(), is_preferred))
      std::erase_if(left, [&](const Fit& fit) { return !is_preferred(fit); });
  };
  prefer([&](const Fit& fit) { return is_most(fit.shapes); });
  prefer([](const Fit& fit) { return !is_average_name(fit.prefix); });
  prefer([&](const Fit& fit) { return fit.names == parameters.size(); });
  prefer([](const Fit& fit) { return fit.prefix.empty(); });
  if (left.size() > 1) {
    std::vector<std::string> names;
    for (const Fit& fit : left) names.push_back(fit.prefix);
    result.problem = concat("the network is there more than once, under the prefixes ",
                            listed(names), ": choose one with --prefix");
  }
  return choose(left.front().prefix);
}

}  // namespace shiftadd
