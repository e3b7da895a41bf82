// What killed programs left behind: temporaries of AtomicFile whose process is gone.
#pragma once

#include <string>

namespace shiftadd {

/// Removes NAME.tmp-PID in `folder`; an empty `name` stands for all names. A file stays where its
/// writer may be alive: it holds a lock on it, on whatever machine; and the process of that number
/// must be gone, or have begun after the file was last written to (numbers are given anew). What
/// cannot be read or removed is left without a word.
void remove_stale_temporaries(const std::string& folder, const std::string& name = "");

}  // namespace shiftadd
