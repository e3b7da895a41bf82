// What a list of options says of itself: printed config, JSON Schema, help.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/config/visitor.h"

namespace shiftadd {

/// Calls the visitor once per option (see ConfigVisitor).
using ConfigListing = std::function<void(ConfigVisitor&)>;

/// Every option with its present value; objects that are not there are null.
nlohmann::ordered_json config_json(const ConfigListing& listing);
/// The same as indented text, which reads back to the same values.
std::string print_config(const ConfigListing& listing);
/// JSON Schema, draft 2020-12; the listing must hold the defaults. `title` and `about` describe the
/// whole.
std::string config_schema(const ConfigListing& listing, const std::string& title,
                          const std::string& about);
/// A line per option: path = default (type and range): description.
std::string config_help(const ConfigListing& listing);
/// "train.optimizer.lr" and so on, in order, objects included.
std::vector<std::string> option_paths(const ConfigListing& listing);

}  // namespace shiftadd
