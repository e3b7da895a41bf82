// What a file that holds no weights is instead: what a download, a clone or a mistake leaves
// behind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace shiftadd {

/// In words that say what to do: "is a Git LFS pointer, not the file itself: ..."; "" where nothing
/// is recognised. Reads at most the first 4 KiB. Safetensors files and zip archives are not looked
/// for, so ask only when a file could not be read as one.
std::string what_instead_of_weights(const uint8_t* bytes, std::size_t size);

/// Throws Error (user) "PATH: is a Git LFS pointer ..." where the text of a file is that, a
/// git-annex pointer, a web page or a server's XML: it is taken for nothing else, whatever was
/// expected.
void require_no_placeholder(std::string_view text, const std::string& path);

}  // namespace shiftadd
