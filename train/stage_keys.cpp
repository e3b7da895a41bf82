// Finds options of all stages that stages set themselves, by the file that each value came from.
#include "train/stage_keys.h"

#include <algorithm>
#include <limits>

#include "core/error.h"

namespace shiftadd::train {
namespace {

constexpr const char* kRate = "train.optimizer.lr";

bool from_command_line(const ConfigNode& value) { return value.line == 0; }

// Later files win over earlier ones, and the command line over all.
int64_t rank_of(const ConfigNode& value, const std::vector<std::string>& merged) {
  if (from_command_line(value)) return std::numeric_limits<int64_t>::max();
  const auto last = std::find(merged.rbegin(), merged.rend(), value.source ? *value.source : "");
  return merged.rend() - last;
}

bool same_value(const ConfigNode& a, const ConfigNode& b) {
  if (a.kind != b.kind || a.items.size() != b.items.size()) return false;
  if (a.kind == ConfigNode::Kind::kNumber) return a.number() == b.number();
  return a.text == b.text &&
         std::equal(a.items.begin(), a.items.end(), b.items.begin(), same_value);
}

// What a stage says of the option `key`, or of an object around it; null where it says nothing.
const ConfigNode* said_by(const ConfigNode& stage, const std::string& key) {
  const ConfigNode* node = &stage;
  for (std::size_t begin = 0; begin < key.size() && node && node->is_object();) {
    const std::size_t end = std::min(key.find('.', begin), key.size());
    node = node->find(std::string_view(key).substr(begin, end - begin));
    begin = end + 1;
  }
  return node;
}

bool converts(const TrainConfig& run, const char* what) {
  return std::any_of(run.surgery.recipe.begin(), run.surgery.recipe.end(),
                     [what](const std::string& line) { return line.find(what) != line.npos; });
}

bool concerns(const std::string& key, const std::vector<TrainConfig>& runs, std::size_t stage) {
  if (key.starts_with("surgery.transfer.")) return converts(runs[stage], "attention");
  if (key.starts_with("router."))
    return std::any_of(runs.begin(), runs.begin() + static_cast<std::ptrdiff_t>(stage) + 1,
                       [](const TrainConfig& run) { return converts(run, "mixture"); });
  return true;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

class SharedKeys {
 public:
  SharedKeys(const std::vector<ConfigNode>& stages, const std::vector<TrainConfig>& runs,
             const std::vector<std::string>& merged)
      : stages_(stages), runs_(runs), merged_(merged) {}

  // All options below `node`, whose path is `path`.
  void check(const ConfigNode& node, const std::string& path) {
    for (const ConfigMember& member : node.members) {
      const std::string key = path.empty() ? member.key : concat(path, ".", member.key);
      if (key == "name" || key == "out" || key == "threads") continue;  // of the whole
      if (member.value.is_object())
        check(member.value, key);
      else
        check_option(member.value, key);
    }
  }
  const std::vector<std::string>& notices() const { return notices_; }

 private:
  void check_option(const ConfigNode& value, const std::string& key) {
    std::vector<std::string> takers, keepers;
    std::size_t first_keeper = stages_.size();
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      if (!concerns(key, runs_, i)) continue;
      const ConfigNode* own = said_by(stages_[i], key);
      if (!own) {
        takers.push_back(runs_[i].name);
      } else if (rank_of(*own, merged_) < rank_of(value, merged_) && !same_value(*own, value)) {
        keepers.push_back(
            concat(runs_[i].name, " (", own->described(), ", ", own->location(), ")"));
        first_keeper = std::min(first_keeper, i);
      }
    }
    if (keepers.empty() || (!takers.empty() && !from_command_line(value))) return;
    const std::string instead = way_to(first_keeper, key, value);
    // --set train.epochs=1 names its key itself
    const std::string where =
        from_command_line(value) ? value.location() : concat(value.location(), ": ", key);
    if (takers.empty())
      throw user_error(where,
                       ": nothing would come of it, because the stages that it concerns set ", key,
                       " themselves: ", joined(keepers), ". ", instead);
    notices_.push_back(concat(where, " holds for ", joined(takers),
                              " alone, because other stages set ", key,
                              " themselves: ", joined(keepers), ". ", instead));
  }

  // How an option reaches a stage that sets it itself.
  std::string way_to(std::size_t stage, const std::string& key, const ConfigNode& value) const {
    const ConfigNode* name = stages_[stage].find("name");
    if (!name) return concat("Write it into that stage's object, or give the stage a name");
    const bool list = value.kind == ConfigNode::Kind::kArray;
    return concat("Write --set stages.", name->text, ".", key, "=", list ? "[...]" : value.text,
                  ", or in a file {\"stages\": {\"", name->text, "\": {...}}}");
  }

  const std::vector<ConfigNode>& stages_;
  const std::vector<TrainConfig>& runs_;
  const std::vector<std::string>& merged_;
  std::vector<std::string> notices_;
};

}  // namespace

std::vector<std::string> check_shared_keys(const ConfigNode& root,
                                           const std::vector<ConfigNode>& stages,
                                           const std::vector<TrainConfig>& runs,
                                           const std::vector<std::string>& merged) {
  if (stages.empty()) return {};
  SharedKeys keys(stages, runs, merged);
  keys.check(root, "");
  return keys.notices();
}

std::vector<std::string> check_stage_rates(const ConfigNode& root,
                                           const std::vector<ConfigNode>& stages,
                                           const std::vector<TrainConfig>& runs) {
  std::vector<std::string> lines;
  if (stages.empty()) return lines;
  const ConfigNode* base = said_by(stages[0], kRate);
  if (!base) base = said_by(root, kRate);
  for (std::size_t i = 1; i < stages.size(); ++i) {
    const ConfigNode* own = said_by(stages[i], kRate);
    const double rate = runs[i].train.optimizer.lr, first = runs[0].train.optimizer.lr;
    if (!own || from_command_line(*own) || rate <= first) continue;
    if (base && base->source && own->source && *base->source == *own->source) continue;
    lines.push_back(concat(own->location(), ": stage ", runs[i].name, " trains at ", rate,
                           ", which is ", rate / first, " times the ", first, " of stage ",
                           runs[0].name,
                           ": a recipe's rate is not that of the configuration it is laid over. A "
                           "later stage is meant "
                           "to train at a lower one: --set stages.",
                           runs[i].name, ".", kRate, "=..."));
  }
  return lines;
}

}  // namespace shiftadd::train
