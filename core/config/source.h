// A config from its files: "extends" chains and command-line overrides merged into one tree.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/config/node.h"

namespace shiftadd {

/// Reads PATH and, first, the file its "extends" names (relative to PATH's folder; at most 16 deep,
/// cycles are errors), and merges them as merge_config does. "extends" and "$schema" are taken out
/// of the root. `merged`, if any, receives the files in the order in which they were merged, each
/// over those before it. Throws Error (user) naming file and line.
ConfigNode load_config_node(const std::string& path, std::vector<std::string>* merged = nullptr);
/// The same with the first file's text given; `name` is its path in errors and for "extends".
ConfigNode load_config_text(std::string_view text, const std::string& name,
                            std::vector<std::string>* merged = nullptr);
/// PATH and the files that it extends, in turn; PATH alone where it can be read but once (a pipe).
std::vector<std::string> config_files(const std::string& path);

/// "train.epochs=3": the value is read as JSON, or else taken as a string. Throws Error (user) that
/// quotes it.
void apply_override(ConfigNode& root, const std::string& override_text);
/// The same for what was given otherwise: `source` is what errors call it.
void apply_override(ConfigNode& root, const std::string& override_text, const std::string& source);

/// `over` wins: objects merge key by key, everything else replaces. But an object over a list whose
/// objects have a "name" changes those that its keys name: {"add": {"epochs": 3}} over [{"name":
/// "add"}, {"name": "shift"}]. Throws Error (user) where the list has no object of that name.
void merge_config(ConfigNode& base, ConfigNode over);

}  // namespace shiftadd
