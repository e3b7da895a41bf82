// Class names: from a text file, checked, and those of a data set found among a model's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace shiftadd {

/// One name a line; or, when the first line holds tabs, a table: the column "label" (else "name",
/// "class", else the last). UTF-8, with or without a byte-order mark; lines end in LF or CRLF.
/// Throws Error (user) for an empty file, an empty name, a column "index" that does not count from
/// 0, and text that is not UTF-8.
struct ClassNames {
  std::vector<std::string> names;
  std::vector<std::string> ids;  // the column "wnid" or "id", by which folders are named; or empty
};
ClassNames read_class_names(const std::string& path);

/// Throws Error (user) for names that are not UTF-8, or of which two are the same but for their
/// Unicode normalisation. `source` says in the message whose names they are.
void require_sound_names(const std::vector<std::string>& names, const std::string& source);

/// "; 'Cat' and 'cat' differ only in ..." for the first few pairs, one name of each list, that
/// people would take for the same; "" where there are none. For the end of an error.
std::string near_misses(const std::vector<std::string>& a, const std::vector<std::string>& b);

/// The model's class index of each class of a labelled set; the set may have fewer classes than the
/// model. A model with names, or ids, is asked for those. For a model without, a set whose classes
/// are all numbers says the indices itself (007 is 7); other sets are matched by position and need
/// as many classes. Throws Error (user) listing the classes that the model does not know or has
/// twice, numbers that are no index, or both counts. `set` names the data in the message.
std::vector<int64_t> match_classes(const std::vector<std::string>& model_names,
                                   const std::vector<std::string>& model_ids, int64_t model_classes,
                                   const std::vector<std::string>& set_names,
                                   const std::string& set);

}  // namespace shiftadd
