// libFuzzer target of the tar reader: any bytes are indexed or refused with an Error; every member
// lies inside the archive, and names take no more memory than the archive justifies.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/error.h"
#include "data/set_parts.h"
#include "data/tar.h"

using namespace shiftadd;
using namespace shiftadd::data;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, std::size_t size) {
  std::vector<TreeEntry> entries;
  try {
    for (const TarMember& member : index_tar({bytes, size}, "fuzz.tar")) {
      const auto limit = static_cast<int64_t>(size);
      if (member.offset < 0 || member.size < 0 || member.offset > limit ||
          member.size > limit - member.offset)
        std::abort();
      const bool clean = !member.name.empty() && !member.name.starts_with('/') &&
                         !member.name.ends_with('/') && !member.name.starts_with("../");
      if (!clean) std::abort();
      entries.push_back({member.name, member.offset, member.size, TreeEntry::Kind::kFile, ""});
    }
    require_classes_not_parts("fuzz.tar", true, entries);
  } catch (const Error&) {
  }
  return 0;
}
