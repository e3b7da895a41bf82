// Programs that are sent a signal at a place in their output, however fast they or the tests run.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/support/support.h"

namespace shiftadd::test {

struct Interruption {
  std::string text;        // `signal` is sent when so many lines that contain this
  int count = 1;           // have been read
  int signal = 0;          // of stderr
  bool of_stdout = false;  // or of stdout
  bool ignored = false;    // the program is started with the signal ignored, as nohup does
  std::string input = {};  // a file for standard input; "": none
  std::function<void()> action = {};  // called in place of a signal
};

/// Runs `command` in `folder`. The pipe that is watched holds one write of the program, which waits
/// in the next one until the first is read: when the signal is sent, the program has come at most
/// two writes beyond the line that called for it. All signals are at their default in the program,
/// unless ignored. Of the result, only the watched stream is kept.
ProcessResult run_until(const std::vector<std::string>& command, const std::string& folder,
                        const Interruption& interruption);

}  // namespace shiftadd::test
