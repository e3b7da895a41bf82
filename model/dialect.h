// How a publisher names the tensors of a vision transformer, and what its networks have in common.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/preprocess.h"
#include "model/name_map.h"

namespace shiftadd {

/// A mapping file (configs/mappings/README.md) or one of known_dialects().
struct Dialect {
  std::string name;                     // "torchvision"
  std::string description;              // for people
  std::vector<NameMap::Pattern> where;  // spoken only where a tensor fits each
  std::vector<NameMap::Pattern> needs;  // our names, of which these are never absent
  std::vector<std::string> spec;        // "norm_eps=1e-12": what no tensor tells
  Preprocess preprocess;                // its colours and filter; sizes count for nothing
  double crop_share = 0.875;            // of the shorter side, that the crop takes
  bool has_own_names = false;           // no tensor is called as here: what no rule fits is foreign
  NameMap map;

  /// Throws Error (user) "SOURCE:LINE: rules[i].key: what is wrong".
  static Dialect parse(std::string_view text, const std::string& source);
  /// A mapping file; timm's other spellings are known beside its rules.
  static Dialect load(const std::string& path);
};

/// Those of the publishers of docs/conversion.md. Where two fit a file equally well, the first is
/// meant.
const std::vector<Dialect>& known_dialects();
/// The first of this name, which has to be there.
const Dialect& known_dialect(const std::string& name);
/// Their names, each once.
std::vector<std::string> dialect_names();

}  // namespace shiftadd
