// Reads tar headers: POSIX.1-2017 "pax" (which holds ustar) and the GNU extensions in common use.
#include "data/tar.h"

#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "core/error.h"

namespace shiftadd::data {
namespace {

constexpr std::size_t kBlock = 512;
// A ustar header's fields: offset and length in bytes.
struct Field {
  std::size_t offset, length;
};
constexpr Field kName{0, 100}, kSize{124, 12}, kChecksum{148, 8}, kLinkName{157, 100},
    kMagic{257, 6}, kPrefix{345, 155};
constexpr std::size_t kType = 156;

void reject_compressed(std::span<const uint8_t> archive, const std::string& name) {
  struct Magic {
    std::string_view bytes, format, command;
  };
  using namespace std::string_view_literals;
  static constexpr Magic kMagics[] = {{"\x1f\x8b"sv, "gzip", "gunzip"},
                                      {"BZh"sv, "bzip2", "bunzip2"},
                                      {"\xfd"
                                       "7zXZ\0"sv,
                                       "xz", "unxz"},
                                      {"\x28\xb5\x2f\xfd"sv, "zstd", "unzstd"}};
  const std::string_view start(reinterpret_cast<const char*>(archive.data()),
                               std::min<std::size_t>(archive.size(), 8));
  for (const Magic& magic : kMagics)
    if (start.starts_with(magic.bytes))
      throw user_error(name, ": compressed with ", magic.format,
                       ": expected an uncompressed tar, which is read in "
                       "place; unpack it once with ",
                       magic.command);
}

/// "./a//b/" -> "a/b"
std::string clean_path(std::string_view raw) {
  std::string path;
  while (!raw.empty()) {
    const std::size_t end = std::min(raw.find('/'), raw.size());
    const std::string_view part = raw.substr(0, end);
    raw.remove_prefix(std::min(end + 1, raw.size()));
    if (part.empty() || part == ".") continue;
    if (!path.empty()) path += '/';
    path += part;
  }
  return path;
}

/// What extended headers say about the next member, or (pax 'g') about all that follow.
struct Extended {
  std::optional<std::string> path, link;
  std::optional<int64_t> size;
};

class Reader {
 public:
  Reader(std::span<const uint8_t> archive, const std::string& name)
      : archive_(archive), name_(name) {}

  std::vector<TarMember> run() {
    reject_compressed(archive_, name_);
    if (archive_.empty()) throw user_error(name_, ": empty file: expected a tar archive");
    while (read_header()) {
    }
    resolve_hard_links();
    return std::move(members_);
  }

 private:
  [[noreturn]] void damaged(const std::string& reason) const {
    if (header_at_ == 0 && members_.empty())
      throw user_error(name_, ": not a tar archive (", reason, ")");
    throw user_error(name_, ": damaged tar archive: ", reason, " in the header at byte ",
                     header_at_);
  }
  [[noreturn]] void truncated(const std::string& what) const {
    throw user_error(name_, ": truncated tar archive of ", archive_.size(), " bytes: ", what);
  }

  std::string_view text(Field field) const {
    const char* start = reinterpret_cast<const char*>(header_ + field.offset);
    return {start, strnlen(start, field.length)};
  }

  /// Octal digits between spaces, or base 256 when the first byte's top bit is set (GNU).
  int64_t number(Field field, const char* what) const {
    const uint8_t* bytes = header_ + field.offset;
    uint64_t value = 0;
    if (bytes[0] & 0x80) {
      value = bytes[0] & 0x7f;
      for (std::size_t i = 1; i < field.length; ++i) {
        if (value >> 54) damaged(concat(what, " too large"));
        value = value << 8 | bytes[i];
      }
      return static_cast<int64_t>(value);
    }
    std::string_view digits = text(field);
    while (!digits.empty() && digits.front() == ' ') digits.remove_prefix(1);
    while (!digits.empty() && digits.back() == ' ') digits.remove_suffix(1);
    for (char digit : digits) {  // at most 12 digits: 36 bits
      if (digit < '0' || digit > '7') damaged(concat(what, " is not an octal number"));
      value = value * 8 + (digit - '0');
    }
    return static_cast<int64_t>(value);
  }

  void check_sum() const {
    // Old writers summed signed bytes; both are accepted, as POSIX asks.
    int64_t plain = 0, with_sign = 0;
    for (std::size_t i = 0; i < kBlock; ++i) {
      const bool inside = i >= kChecksum.offset && i < kChecksum.offset + kChecksum.length;
      plain += inside ? ' ' : header_[i];
      with_sign += inside ? ' ' : static_cast<int8_t>(header_[i]);
    }
    const int64_t stored = number(kChecksum, "checksum");
    if (stored != plain && stored != with_sign) damaged("wrong checksum");
  }

  /// The member's contents after the header just read; moves on to the next header.
  std::span<const uint8_t> take_contents(int64_t size, const std::string& member) {
    const std::size_t left = archive_.size() - next_;
    if (static_cast<uint64_t>(size) > left)
      truncated(concat("'", member, "' needs ", size, " bytes, ", left, " are left"));
    const auto contents = archive_.subspan(next_, size);
    next_ += std::min(left, (static_cast<std::size_t>(size) + kBlock - 1) / kBlock * kBlock);
    return contents;
  }

  void read_pax(std::span<const uint8_t> contents, Extended& into) const {
    std::string_view rest(reinterpret_cast<const char*>(contents.data()), contents.size());
    while (!rest.empty() && rest.front() != '\0') {  // "LENGTH KEY=VALUE\n"
      std::size_t length = 0;
      const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), length);
      const std::size_t digits = end - rest.data();
      if (error != std::errc() || length > rest.size() || length < digits + 2 || *end != ' ' ||
          rest[length - 1] != '\n')
        damaged("malformed pax record");
      const std::string_view record = rest.substr(digits + 1, length - digits - 2);
      rest.remove_prefix(length);
      const std::size_t equals = record.find('=');
      if (equals == std::string_view::npos) damaged("pax record without '='");
      const std::string_view key = record.substr(0, equals), value = record.substr(equals + 1);
      if (key == "path") into.path = value;
      if (key == "linkpath") into.link = value;
      if (key == "size") {
        int64_t size = -1;
        const auto [last, bad] = std::from_chars(value.data(), value.data() + value.size(), size);
        if (bad != std::errc() || last != value.data() + value.size() || size < 0)
          damaged("bad pax size");
        into.size = size;
      }
      if (key.starts_with("GNU.sparse")) damaged("sparse members are not supported");
    }
  }

  /// Reads one header with what belongs to it; false at the end of the archive.
  bool read_header() {
    header_at_ = next_;
    if (archive_.size() - next_ < kBlock) {
      if (header_at_ == 0) damaged("shorter than one header");
      truncated("the end-of-archive mark is missing");
    }
    header_ = archive_.data() + next_;
    static constexpr uint8_t kZeros[kBlock] = {};
    if (std::memcmp(header_, kZeros, kBlock) == 0) return false;
    check_sum();
    next_ += kBlock;

    const char type = static_cast<char>(header_[kType]);
    const int64_t size = number(kSize, "size");
    switch (type) {
      case 'L':
      case 'K': {
        const auto contents = take_contents(size, "long name");
        const char* start = reinterpret_cast<const char*>(contents.data());
        (type == 'L' ? one_.path : one_.link) = std::string(start, strnlen(start, contents.size()));
        return true;
      }
      case 'x':
        read_pax(take_contents(size, "pax header"), one_);
        return true;
      case 'g':
        read_pax(take_contents(size, "pax header"), all_);
        return true;
      case 'S':
      case 'M':
        damaged("sparse and multi-volume members are not supported");
      default:
        add_member(type, size);
        one_ = {};
        return true;
    }
  }

  void add_member(char type, int64_t header_size) {
    std::string stored(text(kName));
    if (std::memcmp(header_ + kMagic.offset, "ustar", kMagic.length) == 0 && !text(kPrefix).empty())
      stored = concat(text(kPrefix), "/", stored);
    const std::string raw = one_.path.value_or(all_.path.value_or(stored));
    TarMember member;
    member.name = clean_path(raw);
    if (type == '3' || type == '4' || type == '6') return;  // devices and pipes have no contents
    if (type == '1') {
      hard_links_.push_back(
          {members_.size(),
           clean_path(one_.link.value_or(all_.link.value_or(std::string(text(kLinkName)))))});
    } else if (type == '2') {
      member.kind = TarMember::Kind::kLink;
    } else if (type == '5' || ((type == '\0' || type == '0') && raw.ends_with('/'))) {
      member.kind = TarMember::Kind::kFolder;
    } else {  // regular, or unknown: POSIX treats those as regular
      member.offset = static_cast<int64_t>(next_);
      member.size = one_.size.value_or(all_.size.value_or(header_size));
      take_contents(member.size, member.name);
      if (type == 'V' || type == 'D') return;  // GNU volume label and directory dump
    }
    if (!member.name.empty())
      members_.push_back(std::move(member));
    else if (type == '1')
      hard_links_.pop_back();
  }

  void resolve_hard_links() {
    if (hard_links_.empty()) return;
    std::unordered_map<std::string_view, std::size_t> places;
    std::size_t done = 0;
    for (const auto& [at, target] : hard_links_) {
      for (; done < at; ++done) places[members_[done].name] = done;
      const auto found = places.find(target);
      if (found == places.end())
        throw user_error(name_, ": '", members_[at].name, "' is a hard link to '", target,
                         "', which does not come before it");
      const TarMember& source = members_[found->second];
      members_[at].offset = source.offset;
      members_[at].size = source.size;
      members_[at].kind = source.kind;
    }
  }

  std::span<const uint8_t> archive_;
  const std::string& name_;
  std::size_t next_ = 0, header_at_ = 0;
  const uint8_t* header_ = nullptr;
  Extended one_, all_;
  std::vector<TarMember> members_;
  struct HardLink {
    std::size_t member;
    std::string target;
  };
  std::vector<HardLink> hard_links_;
};

}  // namespace

std::vector<TarMember> index_tar(std::span<const uint8_t> archive, const std::string& name) {
  return Reader(archive, name).run();
}

}  // namespace shiftadd::data
