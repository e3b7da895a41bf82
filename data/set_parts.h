// Tells the parts of a set ("train", "val") from classes.
#pragma once

#include <string>
#include <vector>

#include "data/tree.h"

namespace shiftadd::data {

/// Throws Error (user) where the folders in which classes are looked for, or those in the one class
/// folder, are the parts of a set: all of them named as such, or two of different parts
/// ("seg_train", "seg_test") that hold folders and no images. `packed`: the path is a tar.
void require_classes_not_parts(const std::string& path, bool packed,
                               const std::vector<TreeEntry>& entries);

}  // namespace shiftadd::data
