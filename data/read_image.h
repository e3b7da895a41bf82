// Image files into memory, where their size and first bytes do not speak against it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/io/input_file.h"
#include "data/decode.h"

namespace shiftadd::data {

/// All bytes of an image file, or of a pipe. Throws Error as read_whole does, and, for a large file
/// that decode_image would refuse for its limits, before the file is read.
std::vector<uint8_t> read_image(const std::string& path, const DecodeLimits& limits = {});
/// The same of `size` bytes of a file from `offset` on: an image inside a tar, called `name`.
std::vector<uint8_t> read_image(const InputFile& file, int64_t offset, int64_t size,
                                const std::string& name, const DecodeLimits& limits = {});

}  // namespace shiftadd::data
