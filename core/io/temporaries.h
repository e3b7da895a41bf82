// The files being written at this moment, so that a process that must end at once can remove them.
#pragma once

#include <string>

namespace shiftadd {

/// Notes the name of a file that is about to be made and is not whole yet; and that it is renamed
/// or removed.
void note_temporary(const std::string& path);
void forget_temporary(const std::string& path);

/// Removes what is noted. May be called by a signal handler.
void remove_temporaries();

}  // namespace shiftadd
