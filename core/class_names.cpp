// Reads class names from a list or a table, and says which line of the file is wrong.
#include "core/class_names.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/not_weights.h"
#include "core/unicode.h"

namespace shiftadd {
namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t end; (end = text.find(separator, begin)) != std::string::npos; begin = end + 1)
    parts.push_back(text.substr(begin, end - begin));
  parts.push_back(text.substr(begin));
  return parts;
}

std::optional<std::size_t> column_of(const std::vector<std::string>& header,
                                     const std::string& name) {
  const auto found = std::find(header.begin(), header.end(), name);
  if (found == header.end()) return std::nullopt;
  return static_cast<std::size_t>(found - header.begin());
}

// Files that were joined have one at the start of each part.
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

std::string class_text(const std::string& path) {
  std::string text = read_text(path);
  require_no_placeholder(text, path);
  // UTF-16 shows by its mark or, without one, by the empty half of each ASCII character.
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff") ||
      text.find('\0') != std::string::npos)
    throw user_error(path,
                     ": is UTF-16 or no text: expected class names in UTF-8; for UTF-16: "
                     "iconv -f UTF-16 -t UTF-8 ",
                     path, " > names.txt");
  return text;
}

void require_text(const std::string& line, const std::string& where) {
  if (!is_utf8(line))
    throw user_error(where, " is not UTF-8: ", shown(line),
                     "; for Latin-1: iconv -f LATIN1 -t UTF-8");
  if (line.find('\r') != std::string::npos)
    throw user_error(where,
                     " holds a carriage return: expected one name a line, ended by a line feed");
}

}  // namespace

ClassNames read_class_names(const std::string& path) {
  std::vector<std::string> lines = split(class_text(path), '\n');
  for (std::string& line : lines) {
    if (line.ends_with('\r')) line.pop_back();
    while (line.starts_with(kByteOrderMark)) line.erase(0, kByteOrderMark.size());
  }
  for (std::size_t i = 0; i < lines.size(); ++i)
    require_text(lines[i], concat(path, ": line ", i + 1));
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  if (lines.empty()) throw user_error(path, ": holds no class names");
  const bool is_table = lines[0].find('\t') != std::string::npos;
  if (!is_table) {
    for (std::size_t i = 0; i < lines.size(); ++i)
      if (lines[i].empty())
        throw user_error(path, ": line ", i + 1, " is empty: expected a class name");
    require_sound_names(lines, path);
    return {std::move(lines), {}};
  }

  const std::vector<std::string> header = split(lines[0], '\t');
  std::optional<std::size_t> column, index = column_of(header, "index");
  for (const char* name : {"label", "name", "class"})
    if (!column) column = column_of(header, name);
  std::optional<std::size_t> id = column_of(header, "wnid");
  if (!id) id = column_of(header, "id");
  const bool has_header = column || index || id;
  const std::size_t wanted = column.value_or(header.size() - 1);
  ClassNames result;
  std::vector<std::string>& names = result.names;
  for (std::size_t i = has_header ? 1 : 0; i < lines.size(); ++i) {
    const std::vector<std::string> cells = split(lines[i], '\t');
    if (cells.size() != header.size() || cells[wanted].empty())
      throw user_error(path, ": line ", i + 1, " has ", cells.size(), " columns: expected ",
                       header.size(), " with a name in column ", wanted + 1);
    if (index && cells[*index] != std::to_string(names.size()))
      throw user_error(path, ": line ", i + 1, " has index ", cells[*index], ": expected ",
                       names.size());
    names.push_back(cells[wanted]);
    if (id) result.ids.push_back(cells[*id]);
  }
  if (names.empty()) throw user_error(path, ": holds no class names");
  require_sound_names(names, path);
  return result;
}

}  // namespace shiftadd
