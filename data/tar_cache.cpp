// Keeps a tar's index in a file, so that a large archive is walked once.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>
#include <type_traits>

#include "core/error.h"
#include "core/io/files.h"
#include "data/tar.h"

namespace shiftadd::data {
namespace {

namespace fs = std::filesystem;

// The file: magic, archive's size and time, count, members (kind, offset, size, name and link with
// their lengths), SHA-256 in hex of all before it. Numbers in the machine's byte order: a cache
// does not travel.
constexpr std::string_view kMagic = "shiftadd tar index 2\n";
constexpr std::size_t kDigest = 64;

std::string digest_of(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes.data(), bytes.size());
  return hash.hex();
}

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

/// Takes values off the front of a text; empty results once it is too short.
class Taker {
 public:
  explicit Taker(std::string_view text) : rest_(text) {}
  template <class T>
  std::optional<T> take() {
    static_assert(std::is_trivially_copyable_v<T>);
    const auto bytes = take_text(sizeof(T));
    if (!bytes) return std::nullopt;
    T value;
    std::memcpy(&value, bytes->data(), sizeof value);
    return value;
  }
  std::optional<std::string_view> take_text(std::size_t length) {
    if (rest_.size() < length) return std::nullopt;
    const std::string_view text = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return text;
  }
  std::optional<std::string_view> take_counted() {
    const auto length = take<uint32_t>();
    return length ? take_text(*length) : std::nullopt;
  }

 private:
  std::string_view rest_;
};

/// Size and time of change: what tells one state of the archive from another.
std::string stamp_of(const std::string& path) {
  struct stat status {};
  std::string stamp(kMagic);
  if (stat(path.c_str(), &status) != 0) return stamp;
  put(stamp, static_cast<int64_t>(status.st_size));
  put(stamp, static_cast<int64_t>(status.st_mtim.tv_sec));
  put(stamp, static_cast<int64_t>(status.st_mtim.tv_nsec));
  return stamp;
}

std::string pack(const std::string& stamp, const std::vector<TarMember>& members) {
  std::string text = stamp;
  put(text, static_cast<uint64_t>(members.size()));
  for (const TarMember& member : members) {
    put(text, member.kind);
    put(text, member.offset);
    put(text, member.size);
    for (const std::string& part : {member.name, member.link}) {
      put(text, static_cast<uint32_t>(part.size()));
      text += part;
    }
  }
  return text + digest_of(text);
}

std::optional<std::vector<TarMember>> unpack(std::string_view text, const std::string& stamp,
                                             int64_t limit) {
  if (text.size() < kDigest || !text.starts_with(stamp)) return std::nullopt;
  const std::string_view body = text.substr(0, text.size() - kDigest);
  if (digest_of(body) != text.substr(body.size())) return std::nullopt;
  Taker taker(body.substr(stamp.size()));
  const auto count = taker.take<uint64_t>();
  std::vector<TarMember> members;
  for (uint64_t i = 0; count && i < *count; ++i) {
    const auto kind = taker.take<TarMember::Kind>();
    const auto offset = taker.take<int64_t>(), size = taker.take<int64_t>();
    const auto name = taker.take_counted(), link = taker.take_counted();
    if (!kind || !offset || !size || !name || !link) return std::nullopt;
    if (*offset < 0 || *size < 0 || *offset > limit || *size > limit - *offset) return std::nullopt;
    members.push_back({std::string(*name), *offset, *size, *kind, std::string(*link)});
  }
  return members;
}

/// Whether files may be put into the folder. Its permission bits are asked too: they do not bind
/// root, but a folder without any write bit is meant to stay as it is.
bool is_writable(const std::string& folder) {
  struct stat status {};
  return stat(folder.c_str(), &status) == 0 && (status.st_mode & 0222) &&
         access(folder.c_str(), W_OK) == 0;
}

/// Whether the cache may be written there: nothing is there yet, or an older cache. A file of
/// another kind, or a link, is somebody else's, whatever its name.
bool is_free(const std::string& place) {
  constexpr std::string_view kAnyVersion = "shiftadd tar index ";
  std::error_code error;
  const fs::file_type type = fs::symlink_status(place, error).type();
  if (type == fs::file_type::not_found) return true;
  if (type != fs::file_type::regular) return false;
  std::ifstream file(place, std::ios::binary);
  std::string start(kAnyVersion.size(), ' ');
  return file.read(start.data(), static_cast<std::streamsize>(start.size())) &&
         start == kAnyVersion;
}

/// Where the cache may lie, best first.
std::vector<std::string> places_for(const std::string& path) {
  std::vector<std::string> places;
  const std::string parent = fs::path(path).parent_path().string();
  if (is_writable(parent.empty() ? "." : parent)) places.push_back(path + ".index");
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  std::string folder;
  if (cache && *cache == '/')
    folder = cache;  // the XDG specification ignores relative paths
  else if (home && *home == '/')
    folder = std::string(home) + "/.cache";
  std::error_code error;
  const fs::path absolute = fs::canonical(path, error);
  if (!folder.empty() && !error)
    places.push_back(folder + "/shiftadd/" + absolute.filename().string() + "." +
                     digest_of(absolute.string()).substr(0, 16) + ".index");
  return places;
}

}  // namespace

std::vector<TarMember> index_tar_cached(const InputFile& archive, const std::string& path) {
  const std::string stamp = stamp_of(path);
  const std::vector<std::string> places = places_for(path);
  for (const std::string& place : places) {
    std::error_code error;
    if (!fs::is_regular_file(place, error)) continue;
    try {
      if (auto members = unpack(read_text(place), stamp, archive.size()))
        return std::move(*members);
    } catch (const Error&) {  // an unreadable cache is no cache
    }
  }
  std::vector<TarMember> members = index_tar(archive, path);
  const std::string packed = pack(stamp, members);
  for (const std::string& place : places) {
    try {
      if (!is_free(place)) continue;
      std::error_code error;
      fs::create_directories(fs::path(place).parent_path(), error);
      write_file(place, packed);
      break;
    } catch (const Error&) {  // not writable: try the next place; without any, the next run walks
                              // the archive again
    }
  }
  return members;
}

}  // namespace shiftadd::data
