// What a user should know about a file that was read all the same: said by the programs.
#pragma once

#include <functional>
#include <string>

namespace shiftadd {

/// Every notice from now on goes to `receive`, each text once; nowhere before the first call.
void receive_notices(std::function<void(const std::string&)> receive);
/// From any thread.
void notice(const std::string& text);

}  // namespace shiftadd
