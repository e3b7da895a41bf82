// Reads the directory of a zip (PKWARE APPNOTE 6.3), for stored entries only.
#include "core/io/zip.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "core/error.h"
#include "core/io/crc32.h"

namespace shiftadd {
namespace {

constexpr uint32_t kLocalHeader = 0x04034b50, kCentralHeader = 0x02014b50, kEnd = 0x06054b50;
constexpr uint32_t kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr std::size_t kEndSize = 22, kLocatorSize = 20, kEnd64Size = 56, kCentralSize = 46,
                      kLocalSize = 30;
constexpr std::size_t kLongestComment = 65535;

// Reads little-endian numbers, every one checked against the end of the archive.
struct Archive {
  const uint8_t* bytes;
  std::size_t size;
  const std::string& file;

  template <class... Parts>
  Error error(const Parts&... parts) const {
    return user_error("[zip] ", file, ": ", parts...);
  }
  void need(uint64_t at, uint64_t length) const {
    if (at > size || length > size - at) throw error("the archive is cut short or damaged");
  }
  uint64_t number(uint64_t at, int width) const {
    need(at, static_cast<uint64_t>(width));
    uint64_t value = 0;
    std::memcpy(&value, bytes + at, static_cast<std::size_t>(width));
    return value;
  }
};

struct Directory {
  uint64_t offset = 0, entries = 0;
};

// The end record stands in the last 22 bytes, or earlier when the archive has a comment.
uint64_t find_end(const Archive& zip) {
  if (zip.size >= kEndSize) {
    const uint64_t last = zip.size - kEndSize;
    const uint64_t first = last > kLongestComment ? last - kLongestComment : 0;
    for (uint64_t at = last + 1; at-- > first;)
      if (zip.number(at, 4) == kEnd && at + kEndSize + zip.number(at + 20, 2) == zip.size)
        return at;
  }
  throw zip.error("no end of the zip directory (cut short?)");
}

Directory find_directory(const Archive& zip) {
  const uint64_t end = find_end(zip);
  Directory directory{zip.number(end + 16, 4), zip.number(end + 10, 2)};
  const bool is_zip64 = directory.offset == 0xffffffff || directory.entries == 0xffff;
  if (is_zip64) {
    if (end < kLocatorSize || zip.number(end - kLocatorSize, 4) != kLocator64)
      throw zip.error("the zip64 directory is missing");
    const uint64_t record = zip.number(end - kLocatorSize + 8, 8);
    zip.need(record, kEnd64Size);
    if (zip.number(record, 4) != kEnd64) throw zip.error("the zip64 directory is damaged");
    directory = {zip.number(record + 48, 8), zip.number(record + 32, 8)};
  }
  return directory;
}

struct Member {
  uint64_t packed, unpacked, local;
};

// Sizes above 4 GiB stand in the extra field with id 1, in this order, each only where its 32 bits
// are full.
void read_zip64_sizes(const Archive& zip, uint64_t extra, uint64_t length, Member& member) {
  for (uint64_t at = extra; at + 4 <= extra + length;) {
    const uint64_t id = zip.number(at, 2), end = at + 4 + zip.number(at + 2, 2);
    at += 4;
    if (id == 1) {
      for (uint64_t* value : {&member.unpacked, &member.packed, &member.local}) {
        if (*value != 0xffffffff) continue;
        if (at + 8 > end) throw zip.error("a zip64 size is missing");
        *value = zip.number(at, 8);
        at += 8;
      }
    }
    at = end;
  }
}

// Where the member's data starts: the local header repeats the name and has an extra field of its
// own.
uint64_t data_start(const Archive& zip, uint64_t local, const std::string& name) {
  zip.need(local, kLocalSize);
  if (zip.number(local, 4) != kLocalHeader)
    throw zip.error("entry '", name, "' has no local header");
  return local + kLocalSize + zip.number(local + 26, 2) + zip.number(local + 28, 2);
}

// Holds every entry against its sum.
void check_sums(const Archive& zip, const std::vector<ZipEntry>& entries) {
  std::vector<const ZipEntry*> wrong;
  bool any_right = false;  // empty entries are no proof: their sum is 0 even where none is computed
  for (const ZipEntry& entry : entries)
    if (crc32_of_zip(entry.data, entry.size) != entry.crc)
      wrong.push_back(&entry);
    else
      any_right = any_right || entry.size > 0;
  if (wrong.empty()) return;
  if (wrong.size() > 1 && !any_right)
    throw zip.error("no entry has the CRC-32 that the directory says: the archive is damaged, or ",
                    "was saved without sums (torch.serialization.set_crc32_options(False)): if ",
                    "so, read it with --no-crc");
  throw zip.error("entry '", wrong.front()->name, "'",
                  wrong.size() > 1 ? concat(" and ", wrong.size() - 1, " more do") : " does",
                  " not have the CRC-32 that the directory says: the file is damaged; fetch or ",
                  "copy it again");
}

}  // namespace

bool looks_like_zip(const uint8_t* bytes, std::size_t size) {
  return size >= 4 &&
         (std::memcmp(bytes, "PK\3\4", 4) == 0 || std::memcmp(bytes, "PK\5\6", 4) == 0);
}

std::vector<ZipEntry> read_zip(const uint8_t* bytes, std::size_t size, const std::string& file,
                               bool check_crc) {
  const Archive zip{bytes, size, file};
  const Directory directory = find_directory(zip);
  std::vector<ZipEntry> entries;
  std::set<std::string> names;
  uint64_t at = directory.offset;
  for (uint64_t i = 0; i < directory.entries; ++i) {
    zip.need(at, kCentralSize);
    if (zip.number(at, 4) != kCentralHeader)
      throw zip.error("the zip directory is damaged at entry ", i);
    const uint64_t flags = zip.number(at + 8, 2), method = zip.number(at + 10, 2);
    const uint64_t name_length = zip.number(at + 28, 2), extra_length = zip.number(at + 30, 2);
    Member member{zip.number(at + 20, 4), zip.number(at + 24, 4), zip.number(at + 42, 4)};
    zip.need(at + kCentralSize, name_length + extra_length);
    const std::string name(reinterpret_cast<const char*>(bytes + at + kCentralSize), name_length);
    read_zip64_sizes(zip, at + kCentralSize + name_length, extra_length, member);
    if (flags & 1) throw zip.error("entry '", name, "' is encrypted: expected a plain archive");
    if (method != 0)
      throw zip.error("entry '", name, "' is compressed (method ", method,
                      "): expected stored entries as torch.save writes them; repack with 'zip -0'");
    if (member.packed != member.unpacked) throw zip.error("entry '", name, "' has two sizes");
    if (!names.insert(name).second) throw zip.error("the name '", name, "' occurs twice");
    const uint64_t start = data_start(zip, member.local, name);
    zip.need(start, member.unpacked);
    entries.push_back({name, bytes + start, static_cast<std::size_t>(member.unpacked),
                       static_cast<uint32_t>(zip.number(at + 16, 4))});
    at += kCentralSize + name_length + extra_length + zip.number(at + 32, 2);
  }
  if (check_crc) check_sums(zip, entries);
  return entries;
}

}  // namespace shiftadd
