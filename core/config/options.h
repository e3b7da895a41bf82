// What lists of options share: enumerations, narrow integers and lists of structs as options.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "core/config/describe.h"
#include "core/config/reader.h"
#include "core/enum_names.h"

namespace shiftadd {

/// Reads `root` into `options`, of which list(visitor, options) lists every option; `root` must
/// outlive the reader that is returned, for what is to be checked afterwards. Throws as the reader.
template <class Options, class List>
ConfigReader read_options(const ConfigNode& root, Options& options, List list,
                          ConfigReader::Absent absent = ConfigReader::Absent::kDefault) {
  Options described = options;
  ConfigReader reader(root, option_paths([&](ConfigVisitor& v) { list(v, described); }), absent);
  list(reader, options);
  reader.finish();
  return reader;
}

template <class Integer>
void list_integer(ConfigVisitor& v, const char* key, Integer& value, const ConfigRange& range,
                  const char* about) {
  auto wide = static_cast<int64_t>(value);
  v.integer(key, wide, range, about);
  value = static_cast<Integer>(wide);
}

/// One of the names of an enumeration (enum_names.h), but those of `excluded`.
template <NamedEnum Enum>
void list_choice(ConfigVisitor& v, const char* key, Enum& value, const char* about,
                 std::initializer_list<Enum> excluded = {}) {
  std::vector<std::string> words = names_of<Enum>();
  for (const Enum each : excluded) std::erase(words, name_of(each));
  std::string word = name_of(value);
  v.choice(key, word, words, about);
  value = kind_of<Enum>(word, key);
}

/// A list of structs, the options of each by list(visitor, element).
template <class Element, class List>
void list_objects(ConfigVisitor& v, const char* key, std::vector<Element>& elements,
                  const char* about, List list) {
  v.objects(
      key, elements.size(), [&](std::size_t size) { elements.resize(size); },
      [&](std::size_t i) {
        Element fresh;
        list(v, i < elements.size() ? elements[i] : fresh);
      },
      about);
}

}  // namespace shiftadd
