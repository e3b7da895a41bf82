// JSON's text: nlohmann's parser and writer, compiled in one place because each file that calls
// them itself takes seconds longer to compile.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace shiftadd {

/// Throws Error (user) "SOURCE:LINE:COLUMN: what is wrong" where `text` is not JSON, `source` being
/// what the text is or the file it stands in. The second keeps the keys' order.
nlohmann::json parse_json(std::string_view text, const std::string& source = "JSON");
nlohmann::ordered_json parse_ordered_json(std::string_view text,
                                          const std::string& source = "JSON");

/// In one line, or with each level indented by that many spaces. Bytes that are not UTF-8 (names in
/// a checkpoint or on a disk) become U+FFFD.
std::string json_text(const nlohmann::json& json, int indent = -1);
std::string json_text(const nlohmann::ordered_json& json, int indent = -1);

}  // namespace shiftadd
