// Answers what errors and merges ask of a config value.
#include "core/config/node.h"

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/io/json_text.h"

namespace shiftadd {

const ConfigNode* ConfigNode::find(std::string_view key) const {
  for (const ConfigMember& member : members)
    if (member.key == key) return &member.value;
  return nullptr;
}

ConfigNode* ConfigNode::find(std::string_view key) {
  return const_cast<ConfigNode*>(std::as_const(*this).find(key));
}

std::string ConfigNode::location() const {
  const std::string name = source ? *source : std::string();
  return line > 0 ? concat(name, ":", line) : name;
}

std::string ConfigNode::described() const {
  constexpr std::size_t kShown = 60;
  switch (kind) {
    case Kind::kArray:
      return items.empty() ? "an empty list" : concat("a list of ", items.size());
    case Kind::kObject:
      return "an object";
    case Kind::kString: {
      std::string shown = text.size() > kShown ? text.substr(0, kShown) + "..." : text;
      // replace: the cut may have split a character
      return json_text(nlohmann::json(shown));
    }
    default:
      return text.size() > kShown ? text.substr(0, kShown) + "..." : text;
  }
}

double ConfigNode::number() const { return std::strtod(text.c_str(), nullptr); }

}  // namespace shiftadd
