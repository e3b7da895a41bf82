// Names as Unicode: whether they are UTF-8, and whether two differ only in how they are written.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace shiftadd {

bool is_utf8(std::string_view text);
/// In quotes, and where bytes are not printable ASCII also byte by byte ("'é' (\xc3\xa9)"), so that
/// names which look alike can be told apart; text that is not UTF-8 is given byte by byte alone.
std::string shown(std::string_view text);
/// Normalisation form C: an accented letter is one character where Unicode has one for it.
std::string composed(std::string_view text);
/// What people take for the same name is the same: without case, invisible characters, spaces
/// around it, and leading zeros where it is a number; '_' and '-' count as spaces.
std::string loosely(std::string_view text);
/// For fonts of ASCII alone: letters lose their accents, any other character beyond ASCII is '?'.
std::string plain_ascii(std::string_view text);
/// How many columns of a terminal the text takes: wide characters two, combining and invisible ones
/// none, a byte that is not UTF-8 one.
int64_t columns_of(std::string_view text);
/// The longest beginning of the text that takes at most so many columns.
std::string_view first_columns(std::string_view text, int64_t columns);

}  // namespace shiftadd
