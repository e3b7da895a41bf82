// The names of enumerators: listed once for each enumeration, from which they are read and written.
#pragma once

#include <array>
#include <cstddef>
#include <iterator>
#include <string>
#include <type_traits>
#include <vector>

namespace shiftadd {

/// Specialised for an enumeration that counts from 0: its names, in the order of its enumerators.
template <class Enum>
inline constexpr std::array<const char*, 0> kEnumNames = {};

template <class Enum>
concept NamedEnum = std::is_enum_v<Enum> && !std::empty(kEnumNames<Enum>);

template <NamedEnum Enum>
constexpr const char* name_of(Enum value) {
  return kEnumNames<Enum>[static_cast<std::size_t>(value)];
}

/// All of them, in the order of the enumerators.
template <NamedEnum Enum>
std::vector<std::string> names_of() {
  return {kEnumNames<Enum>.begin(), kEnumNames<Enum>.end()};
}

/// Where `name` stands in `names`; throws Error (user) "WHERE: 'NAME' is not known: expected one
/// of ...", with the nearest one.
std::size_t index_of_name(const std::string& name, const std::vector<std::string>& names,
                          const std::string& where);

/// The enumerator of a name; throws as index_of_name does.
template <NamedEnum Enum>
Enum kind_of(const std::string& name, const std::string& where) {
  return static_cast<Enum>(index_of_name(name, names_of<Enum>(), where));
}

}  // namespace shiftadd
