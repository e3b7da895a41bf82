// Mapped files that shrink while they are in use: told by name instead of a bare SIGBUS.
#pragma once

#include <cstddef>
#include <string>

namespace shiftadd {

/// From now on a file that is shorter than its map ends the process with one line on stderr,
/// "PROGRAM: error: FILE: ...", and status 1. For programs: a library leaves its host's signals
/// alone.
void guard_maps(const std::string& program);

/// map_file's: which file lies where. Of more than 256 maps at a time the rest have no name.
void note_map(const void* start, std::size_t size, const std::string& path);
void forget_map(const void* start);

}  // namespace shiftadd
