// One run per output folder.
#pragma once

#include <string>

namespace shiftadd::train {

/// Creates the folder (and its parents), takes an exclusive lock on FOLDER/.lock for its lifetime
/// and removes what killed runs left unfinished. The kernel drops the lock when the process dies,
/// however it dies. Throws Error (user) when another run holds it, Error (failure) when the folder
/// cannot be written.
class RunLock {
 public:
  explicit RunLock(const std::string& folder);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace shiftadd::train
