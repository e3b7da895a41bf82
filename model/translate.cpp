// Strips the prefix, applies the rules of a dialect, and keeps account of every tensor.
#include "model/translate.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <unordered_set>

#include "core/io/json_text.h"
#include "core/names.h"
#include "core/pattern.h"
#include "model/leftovers.h"
#include "model/rearrange.h"

namespace shiftadd {
namespace {

struct Source {
  std::string name;
  const Tensor* tensor;  // null where it is of a type that is not read,
  std::string unread;    // for this reason
  bool is_ignored = false;

  Shape shape() const { return tensor ? tensor->shape() : Shape{}; }
};

class Translator {
 public:
  Translator(const WeightsFile& file, const ConvertOptions& options) : options_(options) {
    for (const auto& [name, tensor] : file.tensors) sources_.push_back({name, &tensor, ""});
    for (const auto& [name, reason] : file.unread) sources_.push_back({name, nullptr, reason});
    matched_.resize(options.ignore.size());
    for (Source& source : sources_) source.is_ignored = is_ignored(source.name);
  }

  Translation run(const std::vector<Dialect>& given, const std::vector<Parameter>* parameters) {
    const std::vector<Dialect>& dialects = given.empty() ? known_dialects() : given;
    is_given_ = !given.empty();
    std::vector<NamedShape> shapes;
    for (const Source& source : sources_)
      if (!source.is_ignored) shapes.push_back({source.name, source.shape()});
    choice_ = choose_names(shapes, dialects, parameters, options_.prefix);
    result_.prefix = choice_.prefix;
    if (choice_.dialect) result_.dialect = *choice_.dialect;
    if (!choice_.problem.empty()) result_.problems.push_back(why_none_fits());
    sort_sources();
    std::unordered_map<std::size_t, const NameUse*> used;
    const std::vector<NameUse> uses = result_.dialect.map.apply(inside_);
    for (const NameUse& use : uses) {
      if (use.rule) used.emplace(*use.rule, &use);
      apply(use);
    }
    tell(used);
    for (std::size_t i = 0; i < matched_.size(); ++i)
      if (!matched_[i])
        result_.problems.push_back(concat("--ignore '", options_.ignore[i], "' matches no tensor",
                                          did_you_mean(options_.ignore[i], names())));
    return std::move(result_);
  }

 private:
  bool is_ignored(const std::string& name) {
    bool ignored = false;
    for (std::size_t i = 0; i < matched_.size(); ++i)
      if (matches_pattern(options_.ignore[i], name)) matched_[i] = ignored = true;
    return ignored;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const Source& source : sources_) all.push_back(source.name);
    return all;
  }

  TranslatedTensor& add(const Source& source, const std::string& name) {
    result_.tensors.push_back(
        {name, {source.name}, source.tensor ? *source.tensor : Tensor(), source.unread, ""});
    return result_.tensors.back();
  }

  // What such a network has is said rather than what its prefixes are.
  std::string why_none_fits() const {
    for (const Source& source : sources_)
      if (const char* part = unsupported_part(source.name))
        return unsupported_text(source.name, part);
    return choice_.problem;
  }

  // A user's rule may be written for a name with its prefix.
  bool fits_whole(const std::string& name, const std::string& inner) const {
    const NameMap& map = result_.dialect.map;
    return is_given_ && !choice_.prefix.empty() && map.fits(name) && !map.fits(inner);
  }

  // Those under the prefix are translated, the others told as they are.
  void sort_sources() {
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      const Source& source = sources_[i];
      const bool is_inside = source.name.starts_with(choice_.prefix);
      const bool is_copy =
          std::any_of(choice_.copies.begin(), choice_.copies.end(), [&](const std::string& copy) {
            // "" and "ema.", or "net." and "net.ema.": the longer prefix says whose a name is
            return source.name.starts_with(copy) &&
                   (!is_inside || copy.size() > choice_.prefix.size());
          });
      std::string inner = is_inside ? source.name.substr(choice_.prefix.size()) : "";
      const bool is_whole = fits_whole(source.name, inner);
      if (is_whole) inner = source.name;
      if (!source.is_ignored && !is_copy && (is_inside || is_whole) &&
          by_name_.emplace(inner, i).second) {
        inside_.push_back(inner);
        continue;
      }
      TranslatedTensor& tensor = add(source, source.name);
      tensor.is_beside = true;
      if (source.is_ignored)
        tensor.note = "ignored by --ignore";
      else if (is_copy)
        tensor.note = "of another copy of the network";
      else if (options_.prefix)
        tensor.note = "outside of --prefix";
    }
  }

  void apply(const NameUse& use) {
    if (!use.rule && result_.dialect.has_own_names) {
      const Source& source = sources_[by_name_.at(use.from[0])];
      add(source, source.name).is_beside = true;
      return;
    }
    std::vector<Tensor> from;
    TranslatedTensor made;
    const Source* last = nullptr;
    for (const std::string& name : use.from) {
      from.emplace_back();
      if (name.empty()) continue;
      last = &sources_[by_name_.at(name)];
      made.sources.push_back(last->name);
      if (last->tensor) from.back() = *last->tensor;
      if (!last->tensor) made.unread = last->unread;
    }
    if (use.to.empty()) {
      add(*last, use.from[0]).note =
          concat("ignored by a rule of ",
                 result_.dialect.name.empty() ? "--mapping" : result_.dialect.name);
      return;
    }
    std::vector<Tensor> to(use.to.size());
    if (made.unread.empty()) {
      try {
        to = rearranged(use, from);
      } catch (const Error& error) {
        result_.problems.push_back(error.what());
        made.note = "does not fit the others";
      }
    }
    for (std::size_t i = 0; i < to.size(); ++i) {
      made.name = use.to[i];
      made.tensor = to[i];
      result_.tensors.push_back(made);
      if (is_ignored(made.name)) result_.tensors.back().note = "ignored by --ignore";
    }
  }

  // What the rules that were used say, and how to write the names back. `used`: one use of each.
  void tell(const std::unordered_map<std::size_t, const NameUse*>& used) {
    nlohmann::ordered_json rules = nlohmann::ordered_json::array();
    const std::vector<NameMap::Rule>& all = result_.dialect.map.rules();
    std::unordered_map<std::string, std::pair<std::string, const NameUse*>> said;  // by key
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto use = used.find(i);
      if (use == used.end() || all[i].ignored) continue;
      NameMap::Rule rule = all[i];
      rule.where.reset();
      rules.push_back(to_json(rule));
      for (const std::string& setting : rule.spec) {
        const std::string key = setting.substr(0, setting.find('='));
        const auto [before, is_new] = said.emplace(key, std::pair{setting, use->second});
        if (is_new)
          result_.told.push_back(setting);
        else if (before->second.first != setting)
          result_.problems.push_back(
              concat(before->second.second->from_text(), " say ", before->second.first, ", but ",
                     use->second->from_text(), " ", setting, ": expected all blocks to be alike"));
      }
    }
    result_.names = json_text(nlohmann::ordered_json{{"name", result_.dialect.name},
                                                     {"description", result_.dialect.description},
                                                     {"rules", rules}});
  }

  const ConvertOptions& options_;
  std::vector<Source> sources_;
  std::vector<bool> matched_;  // of options_.ignore
  NamesChoice choice_;
  std::vector<std::string> inside_;                       // names behind the prefix,
  std::unordered_map<std::string, std::size_t> by_name_;  // of these sources
  bool is_given_ = false;                                 // the dialect is a mapping file
  Translation result_;
};

}  // namespace

std::string TranslatedTensor::source() const {
  std::string text;
  for (const std::string& each : sources) text += concat(text.empty() ? "" : " + ", each);
  return text;
}

Translation translate(const WeightsFile& file, const std::vector<Dialect>& dialects,
                      const std::vector<Parameter>* parameters, const ConvertOptions& options) {
  return Translator(file, options).run(dialects, parameters);
}

}  // namespace shiftadd
