// Counts how many parameters lie under each prefix, in each publisher's names, and chooses.
#include "model/weights_prefix.h"

#include <algorithm>
#include <functional>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "core/io/average_name.h"
#include "model/rearrange.h"

namespace shiftadd {
namespace {

constexpr std::size_t kLongest = 512;      // of a name: the search is quadratic in it
constexpr std::size_t kMostPrefixes = 16;  // that are looked at whole: those with most names

struct Fit {
  std::string prefix;
  const Dialect* dialect = nullptr;
  std::size_t names = 0, shapes = 0;  // parameters found, and those of the right shape
  std::size_t left_out = 0;           // tensors that the dialect knows to be of no use
  bool has_patches = false;
  std::unordered_set<std::string> sources;  // of the parameters
};

// The parameters that are looked for: a network's, or those of any.
class Wanted {
 public:
  explicit Wanted(const std::vector<Parameter>* parameters) {
    if (!parameters) return;
    given_ = true;
    for (const Parameter& each : *parameters) shapes_.emplace(each.name, &each.shape);
  }
  bool has(const std::string& name) const {
    return given_ ? shapes_.contains(name) : is_parameter_name(name);
  }
  bool fits(const std::string& name, const Shape& shape) const {
    return !given_ || differs_in_ones_only(shape, *shapes_.at(name));
  }
  /// How many there are; 0: nobody knows.
  std::size_t count() const { return shapes_.size(); }

 private:
  bool given_ = false;
  std::unordered_map<std::string, const Shape*> shapes_;
};

// The prefixes behind which a name of the network begins, most names first.
std::vector<std::string> prefixes_of(const std::vector<NamedShape>& tensors,
                                     const std::vector<Dialect>& dialects, const Wanted& wanted) {
  std::map<std::string, std::size_t> counts;
  for (const auto& [name, shape] : tensors) {
    if (name.size() > kLongest) continue;
    for (std::size_t at = 0; at != std::string::npos && at < name.size();) {
      const std::string rest = name.substr(at);
      if (wanted.has(rest) || std::any_of(dialects.begin(), dialects.end(),
                                          [&](const Dialect& each) { return each.map.fits(rest); }))
        ++counts[name.substr(0, at)];
      at = name.find('.', at);
      if (at != std::string::npos) ++at;
    }
  }
  std::vector<std::string> prefixes;
  for (const auto& [prefix, count] : counts) prefixes.push_back(prefix);
  std::stable_sort(prefixes.begin(), prefixes.end(),
                   [&](const auto& a, const auto& b) { return counts[a] > counts[b]; });
  if (prefixes.size() > kMostPrefixes) prefixes.resize(kMostPrefixes);
  return prefixes;
}

void count_use(const NameUse& use, const std::unordered_map<std::string, Shape>& shapes,
               const Wanted& wanted, Fit& fit) {
  fit.left_out += use.to.empty();
  std::vector<Shape> from, to;
  for (const std::string& name : use.from) from.push_back(name.empty() ? Shape{} : shapes.at(name));
  try {
    to = rearranged_shapes(use, from);
  } catch (const Error&) {  // the conversion says so
    to.assign(use.to.size(), {});
  }
  for (std::size_t i = 0; i < use.to.size(); ++i) {
    if (!wanted.has(use.to[i])) continue;
    ++fit.names;
    fit.shapes += wanted.fits(use.to[i], to[i]);
    fit.has_patches |= use.to[i] == "patch_embed.proj.weight";
    for (const std::string& name : use.from)
      if (!name.empty()) fit.sources.insert(fit.prefix + name);
  }
}

Fit best_fit(const std::string& prefix, const std::vector<NamedShape>& tensors,
             const std::vector<Dialect>& dialects, const Wanted& wanted) {
  std::vector<std::string> names;
  std::unordered_map<std::string, Shape> shapes;
  for (const NamedShape& tensor : tensors)
    if (tensor.name.starts_with(prefix) && tensor.name.size() > prefix.size())
      if (names.push_back(tensor.name.substr(prefix.size()));
          !shapes.emplace(names.back(), tensor.shape).second)
        names.pop_back();
  Fit best;
  for (const Dialect& dialect : dialects) {
    const auto there = [&](const NameMap::Pattern& pattern) {
      return std::any_of(names.begin(), names.end(),
                         [&](const std::string& name) { return fits(pattern, name); });
    };
    if (!std::all_of(dialect.where.begin(), dialect.where.end(), there)) continue;
    Fit fit;
    fit.prefix = prefix, fit.dialect = &dialect;
    for (const NameUse& use : dialect.map.apply(names)) count_use(use, shapes, wanted, fit);
    if (!best.dialect || std::pair(fit.names, fit.left_out) > std::pair(best.names, best.left_out))
      best = std::move(fit);
  }
  return best;
}

bool share_tensors(const Fit& a, const Fit& b) {
  return std::any_of(a.sources.begin(), a.sources.end(),
                     [&](const std::string& name) { return b.sources.contains(name); });
}

std::string listed(const std::vector<std::string>& prefixes) {
  std::string text;
  for (const std::string& each : prefixes) text += concat(text.empty() ? "" : ", ", "'", each, "'");
  return text;
}

// Of two prefixes that mean the same tensors, the one that makes more of them.
std::vector<Fit> without_shadows(std::vector<Fit> fits) {
  std::stable_sort(fits.begin(), fits.end(),
                   [](const Fit& a, const Fit& b) { return a.names > b.names; });
  std::vector<Fit> kept;
  for (Fit& fit : fits)
    if (std::none_of(kept.begin(), kept.end(),
                     [&](const Fit& other) { return share_tensors(fit, other); }))
      kept.push_back(std::move(fit));
  std::sort(kept.begin(), kept.end(),
            [](const Fit& a, const Fit& b) { return a.prefix < b.prefix; });
  return kept;
}

}  // namespace

bool is_parameter_name(const std::string& name) {
  static const std::set<std::string> kOutside = {"cls_token",
                                                 "dist_token",
                                                 "reg_token",
                                                 "pos_embed",
                                                 "patch_embed.proj.weight",
                                                 "patch_embed.proj.bias",
                                                 "norm_pre.weight",
                                                 "norm_pre.bias",
                                                 "norm.weight",
                                                 "norm.bias",
                                                 "fc_norm.weight",
                                                 "fc_norm.bias",
                                                 "pre_logits.fc.weight",
                                                 "pre_logits.fc.bias",
                                                 "projection.weight",
                                                 "head.weight",
                                                 "head.bias",
                                                 "head_dist.weight",
                                                 "head_dist.bias"};
  static const std::set<std::string> kInside = {
      "norm1.weight",   "norm1.bias",     "attn.qkv.weight", "attn.qkv.bias", "attn.proj.weight",
      "attn.proj.bias", "ls1.gamma",      "norm2.weight",    "norm2.bias",    "mlp.fc1.weight",
      "mlp.fc1.bias",   "mlp.fc2.weight", "mlp.fc2.bias",    "ls2.gamma"};
  if (!name.starts_with("blocks.")) return kOutside.contains(name);
  const std::size_t start = std::char_traits<char>::length("blocks."), dot = name.find('.', start);
  if (dot == std::string::npos || dot == start) return false;
  return name.find_first_not_of("0123456789", start) == dot &&
         kInside.contains(name.substr(dot + 1));
}

bool differs_in_ones_only(const Shape& a, const Shape& b) {
  const auto squeezed = [](Shape shape) {
    std::erase(shape, 1);
    return shape;
  };
  return squeezed(a) == squeezed(b);
}

NamesChoice choose_names(const std::vector<NamedShape>& tensors,
                         const std::vector<Dialect>& dialects,
                         const std::vector<Parameter>* parameters,
                         const std::optional<std::string>& wanted_prefix) {
  const Wanted wanted(parameters);
  NamesChoice result;
  const auto choose = [&](const Fit& fit) {
    result.prefix = fit.prefix;
    result.dialect = fit.dialect;
    std::erase(result.copies, fit.prefix);
    return result;
  };
  std::vector<Fit> all;
  for (const std::string& prefix : prefixes_of(tensors, dialects, wanted)) {
    all.push_back(best_fit(prefix, tensors, dialects, wanted));
    if (all.back().names == 0) all.pop_back();
  }
  std::size_t most = 0;
  for (const Fit& fit : all) most = std::max(most, fit.names);
  const std::size_t size = wanted.count() ? wanted.count() : most;
  const auto is_most = [&](std::size_t count) { return 2 * count > size; };
  std::vector<Fit> left;
  for (const Fit& fit : all)
    if (is_most(fit.names)) left.push_back(fit);
  left = without_shadows(std::move(left));
  for (const Fit& fit : left) result.copies.push_back(fit.prefix);
  if (wanted_prefix) {
    Fit fit = best_fit(*wanted_prefix, tensors, dialects, wanted);
    for (const Fit& each : left)  // "teacher." of "teacher.backbone."
      if (!wanted_prefix->empty() && each.prefix.starts_with(*wanted_prefix) &&
          each.names > fit.names)
        fit = each;
    if (fit.names == 0)
      result.problem =
          concat("no tensor of the network lies under --prefix '", *wanted_prefix, "'",
                 left.empty() ? "" : concat("; most of them do under ", listed(result.copies)));
    return choose(fit);
  }
  const auto fewer = [](const Fit& a, const Fit& b) { return a.names < b.names; };
  if (left.empty()) {
    const auto best = std::max_element(all.begin(), all.end(), fewer);
    if (best != all.end() && !best->prefix.empty())
      result.problem = concat("no prefix fits most of the network: the best, '", best->prefix,
                              "', has ", best->names, " of its ", size, " tensors");
    return choose(best_fit("", tensors, dialects, wanted));
  }
  const auto prefer = [&](const std::function<bool(const Fit&)>& is_preferred) {
    if (std::any_of(left.begin(), left.end(), is_preferred))
      std::erase_if(left, [&](const Fit& fit) { return !is_preferred(fit); });
  };
  prefer([&](const Fit& fit) { return fit.has_patches; });
  prefer([&](const Fit& fit) { return is_most(fit.shapes); });
  prefer([](const Fit& fit) { return !is_average_name(fit.prefix); });
  if (parameters) prefer([&](const Fit& fit) { return fit.names == size; });
  prefer([](const Fit& fit) { return fit.prefix.empty(); });
  if (left.size() > 1) {
    std::vector<std::string> names;
    for (const Fit& fit : left) names.push_back(fit.prefix);
    result.problem = concat("the network is there more than once, under the prefixes ",
                            listed(names), ": choose one with shiftadd-convert --prefix");
  }
  return choose(left.front());
}

}  // namespace shiftadd
