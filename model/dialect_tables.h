// The tables of known_dialects(), in the language of mapping files.
#pragma once

#include <array>
#include <span>

namespace shiftadd {

/// A mapping file is "{" keys, images, "rules": [ rules ] "}". "@" stands for each of `bases` in
/// turn: what a publisher's class puts in front of the names of the network inside it. The first is
/// written.
struct DialectTable {
  const char* keys;
  std::array<const char*, 3> rules;  // null: none
  std::array<const char*, 2> bases;
  const char* images = nullptr;  // more keys, that several tables share; null: none
};

std::span<const DialectTable> dialect_tables();

}  // namespace shiftadd
