// Passes each notice on once, to the function that the program has given for it.
#include "core/io/notices.h"

#include <mutex>
#include <set>

namespace shiftadd {
namespace {

struct Notices {
  std::mutex mutex;
  std::function<void(const std::string&)> receive;
  std::set<std::string> said;
};

Notices& notices() {
  static Notices only;
  return only;
}

}  // namespace

void receive_notices(std::function<void(const std::string&)> receive) {
  Notices& all = notices();
  const std::lock_guard lock(all.mutex);
  all.receive = std::move(receive);
  all.said.clear();
}

void notice(const std::string& text) {
  Notices& all = notices();
  const std::lock_guard lock(all.mutex);
  if (all.receive && all.said.insert(text).second) all.receive(text);
}

}  // namespace shiftadd
