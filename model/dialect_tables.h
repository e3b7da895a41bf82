// The tables of known_dialects(), in the language of mapping files.
#pragma once

#include <span>

namespace shiftadd {

/// `text` is a mapping file. "@" stands for each of `bases` in turn: what a publisher's class puts
/// in front of the names of the network inside it. The first one is written.
struct DialectTable {
  const char* bases[3];  // null: none
  const char* text;
};

std::span<const DialectTable> dialect_tables();

}  // namespace shiftadd
