// Finds for each class the row of the start's head that it takes over, if any (plan_head, start.h).
#include <algorithm>
#include <charconv>
#include <map>

#include "core/class_names.h"
#include "train/start.h"

namespace shiftadd::train {
namespace {

using Head = InitConfig::Head;

// Returns for each class its place in `known` where the name is there exactly once; else -1.
std::vector<int64_t> rows_by_name(const std::vector<std::string>& known,
                                  const std::vector<std::string>& classes) {
  std::map<std::string, std::vector<int64_t>> places;
  for (std::size_t i = 0; i < known.size(); ++i)
    places[known[i]].push_back(static_cast<int64_t>(i));
  std::vector<int64_t> rows;
  for (const std::string& name : classes) {
    const auto found = places.find(name);
    rows.push_back(found != places.end() && found->second.size() == 1 ? found->second[0] : -1);
  }
  return rows;
}

int64_t count_kept(const std::vector<int64_t>& rows) {
  return static_cast<int64_t>(
      std::count_if(rows.begin(), rows.end(), [](int64_t row) { return row >= 0; }));
}

// The classes of a network without names are numbers, and so are those of the data if they are
// called like them (match_classes).
std::vector<std::string> numbers(int64_t count) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < count; ++i) names.push_back(std::to_string(i));
  return names;
}

std::string some_of(const std::vector<std::string>& classes, const std::vector<int64_t>& rows) {
  constexpr int kShown = 5;
  std::string text;
  int found = 0;
  for (std::size_t i = 0; i < rows.size() && i < classes.size(); ++i)
    if (rows[i] < 0 && ++found <= kShown) text += (text.empty() ? "" : ", ") + classes[i];
  return found > kShown ? text + ", ..." : text;
}

}  // namespace

bool HeadPlan::is_whole() const { return count_kept(rows) == static_cast<int64_t>(rows.size()); }

bool HeadPlan::is_same(int64_t before) const {
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (rows[i] != static_cast<int64_t>(i)) return false;
  return static_cast<int64_t>(rows.size()) == before;
}

HeadPlan plan_head(const TrainConfig& config, const ModelFile& start, int64_t count,
                   const std::vector<std::string>& classes) {
  const std::string& path = config.init.checkpoint;
  const Head how = config.init.head;
  const int64_t before = start.spec.classes;
  HeadPlan plan{.rows = std::vector<int64_t>(static_cast<std::size_t>(count), -1), .said = ""};
  if (how == Head::kKeep) {
    if (before != count)
      throw user_error("init.head keep: ", path, " has ", before, " classes, the data ", count,
                       ": expected by_name or new");
    for (std::size_t i = 0; i < plan.rows.size(); ++i) plan.rows[i] = static_cast<int64_t>(i);
    plan.said = concat("head: ", count, " classes kept in their order (init.head keep)");
    return plan;
  }
  const bool is_named = !start.classes.empty() || !start.class_ids.empty();
  const std::vector<std::string> known = is_named ? start.classes : numbers(before);
  if (how != Head::kNew && static_cast<int64_t>(classes.size()) == count) {
    const auto by_name = rows_by_name(known, classes),
               by_id = rows_by_name(start.class_ids, classes);
    plan.rows = count_kept(by_id) > count_kept(by_name) ? by_id : by_name;
  }
  const int64_t kept = count_kept(plan.rows);
  const std::string none = before == 0 ? concat(path, " has no head")
                           : is_named  ? concat("none is called as one of the ", before, " of ",
                                                path, near_misses(classes, start.classes))
                                       : concat("the ", before, " of ", path, " have no names");
  if (how == Head::kByName && kept == 0)
    throw user_error("init.head by_name: the data's classes cannot be found: ", none,
                     ". Name them (shiftadd-convert --classes), or set init.head to new or keep");
  if (kept == count)
    plan.said = concat("head: ", kept, " classes kept by name",
                       plan.is_same(before) ? "" : concat(", of ", before, " in another order"));
  else if (kept > 0)
    plan.said = concat("head: ", kept, " classes kept by name, ", count - kept,
                       " new: ", some_of(classes, plan.rows), near_misses(classes, start.classes));
  else
    plan.said = concat("head: ", count, " new classes",
                       how == Head::kNew ? " (init.head new)" : concat(": ", none));
  return plan;
}

}  // namespace shiftadd::train
