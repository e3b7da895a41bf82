// What a file's name promises: an image that is read, one of a format that is not, an archive.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/decode_header.h"

namespace shiftadd::data {

/// The extensions of images that are read, for messages.
inline constexpr std::string_view kReadExtensions = ".jpg .jpeg .jpe .jfif .png .bmp .gif";

/// The format that the name's extension promises, in any case; nothing for other names. Decoding
/// goes by contents.
std::optional<FileKind> promised_kind(std::string_view path);
inline bool is_image_name(std::string_view path) { return promised_kind(path).has_value(); }

/// A .tar, .zip and the like, which may hold images that nobody reads.
bool is_archive_name(std::string_view path);

/// "5 .tif, 5 .webp" with what to do, counted over those names that are images of formats that are
/// not read, or archives; "" where there are none.
std::string unread_formats(const std::vector<std::string>& names);

/// What the first bytes of a file say that is no image we read: "WebP", "a pointer of Git LFS ...";
/// "" where they say nothing.
std::string foreign_contents(std::span<const uint8_t> bytes);

}  // namespace shiftadd::data
