// Reads the tables of publishers and the mapping files of users.
#include "model/dialect.h"

#include <algorithm>

#include "core/config/options.h"
#include "core/io/files.h"
#include "core/io/json_text.h"
#include "core/io/not_weights.h"
#include "model/dialect_tables.h"
#include "model/spec_setting.h"

namespace shiftadd {
namespace {

// One name is a list of one.
void make_lists(ConfigNode& root) {
  ConfigNode* rules = root.find("rules");
  if (!rules) return;
  for (ConfigNode& rule : rules->items)
    for (const char* key : {"from", "to", "where"})
      if (ConfigNode* value = rule.find(key); value && value->kind == ConfigNode::Kind::kString) {
        ConfigNode list{ConfigNode::Kind::kArray, "", {*value}, {}, value->source, value->line};
        *value = std::move(list);
      }
}

void list_patterns(ConfigVisitor& v, const char* key, std::vector<NameMap::Pattern>& patterns,
                   const char* about) {
  std::vector<std::string> texts;
  v.texts(key, texts, about);
  try {
    for (const std::string& text : texts) patterns.push_back(name_pattern(text));
  } catch (const Error& error) {
    v.reject(key, error.what());
  }
}

void list_preprocess(ConfigVisitor& v, Preprocess& preprocess) {
  list_colours(v, preprocess, ConfigRange::any(), ConfigRange::above(0));
}

std::string text_of(const DialectTable& table, const std::string& base) {
  std::string rules, text;
  for (const char* each : table.rules)
    if (each) rules += concat(rules.empty() ? "" : ",", each);
  const std::string images = table.images ? concat(",", table.images) : "";
  for (const char c : concat("{", table.keys, images, ", \"rules\": [", rules, "]}"))
    text += c == '@' ? base : std::string(1, c);
  return text;
}

}  // namespace

Dialect Dialect::parse(std::string_view text, const std::string& source) {
  ConfigNode root = parse_config_node(text, source);
  make_lists(root);
  Dialect dialect;
  std::vector<NameMap::Rule> rules;
  const ConfigReader reader = read_options(root, dialect, [&](ConfigVisitor& v, Dialect& read) {
    v.text("name", read.name, "What --to calls these names.");
    v.text("description", read.description, "For people.");
    list_patterns(v, "where", read.where, "Spoken only where a tensor fits each of these.");
    list_patterns(v, "needs", read.needs, "Our names that are never absent.");
    v.texts("spec", read.spec, "What no tensor tells of the network: [\"activation=relu\"].");
    v.begin("preprocess", "How its images are prepared, but for their size.");
    list_preprocess(v, read.preprocess);
    v.end();
    v.number("crop_share", read.crop_share, ConfigRange::above_up_to(0, 1),
             "Share of the shorter side that the crop takes.");
    list_objects(v, "rules", rules, "The first that fits a name counts.", list_rule);
  });
  if (!reader.has("rules"))
    reader.fail("rules", "is missing: expected {\"rules\": [{\"from\": ..., \"to\": ...}, ...]}");
  for (std::size_t i = 0; i < rules.size(); ++i)
    if (rules[i].from.empty())
      reader.fail(concat("rules[", i, "]"),
                  "expected \"from\", and either \"to\" or \"ignore\": true");
  reader.checked("spec", [&] {
    for (const std::string& each : dialect.spec) (void)with_setting({}, each);
  });
  dialect.map = NameMap(std::move(rules));
  return dialect;
}

Dialect Dialect::load(const std::string& path) {
  const std::string text = read_text(path);
  require_no_placeholder(text, path);
  Dialect dialect = parse(text, path);
  std::vector<NameMap::Rule> rules = dialect.map.rules();
  const std::vector<NameMap::Rule>& spellings = known_dialect("timm").map.rules();
  rules.insert(rules.end(), spellings.begin(), spellings.end());
  dialect.map = NameMap(std::move(rules));
  return dialect;
}

const std::vector<Dialect>& known_dialects() {
  static const std::vector<Dialect> dialects = [] {
    std::vector<Dialect> read;
    for (const DialectTable& table : dialect_tables())
      for (const char* base : table.bases)
        if (base) {
          read.push_back(Dialect::parse(text_of(table, base), table.keys));
          // Whoever renames the patches has a name of its own for everything.
          read.back().has_own_names = read.back().map.inverse({}).fits("patch_embed.proj.weight");
        }
    return read;
  }();
  return dialects;
}

const Dialect& known_dialect(const std::string& name) {
  const std::vector<Dialect>& all = known_dialects();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Dialect& each) { return each.name == name; });
  if (found == all.end()) throw failure("[dialect] no table is called ", name);
  return *found;
}

std::vector<std::string> dialect_names() {
  std::vector<std::string> names;
  for (const Dialect& each : known_dialects())
    if (std::find(names.begin(), names.end(), each.name) == names.end()) names.push_back(each.name);
  return names;
}

}  // namespace shiftadd
