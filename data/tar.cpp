// Reads tar headers: POSIX.1-2017 "pax" (which holds ustar) and the GNU extensions in common use.
#include "data/tar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <functional>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "core/error.h"
#include "core/io/not_weights.h"

namespace shiftadd::data {
namespace {

constexpr int64_t kBlock = 512;
// A ustar header's fields: offset and length in bytes.
struct Field {
  std::size_t offset, length;
};
constexpr Field kName{0, 100}, kSize{124, 12}, kChecksum{148, 8}, kLinkName{157, 100},
    kMagic{257, 6}, kPrefix{345, 155};
constexpr std::size_t kType = 156;

void reject_other_formats(std::string_view start, const std::string& name) {
  struct Magic {
    std::string_view bytes, format, command;
  };
  using namespace std::string_view_literals;
  static constexpr Magic kMagics[] = {{"\x1f\x8b"sv, "gzip", "gunzip"},
                                      {"BZh"sv, "bzip2", "bunzip2"},
                                      {"\xfd\x37zXZ\0"sv, "xz", "unxz"},
                                      {"\x28\xb5\x2f\xfd"sv, "zstd", "unzstd"},
                                      {"\x04\x22\x4d\x18"sv, "lz4", "unlz4"},
                                      {"LZIP"sv, "lzip", "lzip -d"},
                                      {"\x5d\0\0"sv, "lzma", "unlzma"},
                                      {"\x1f\x9d"sv, "compress", "uncompress"},
                                      {"PK\x03\x04"sv, "zip", "unzip"},
                                      {"7z\xbc\xaf\x27\x1c"sv, "7z", "7z x"},
                                      {"Rar!"sv, "rar", "unrar x"}};
  for (const Magic& magic : kMagics)
    if (start.starts_with(magic.bytes))
      throw user_error(name, ": compressed with ", magic.format,
                       ": expected an uncompressed tar, which is read in place; unpack it once "
                       "with ",
                       magic.command);
}

/// "./a//b/" -> "a/b"; "../a" -> "a", as tar unpacks it
std::string clean_path(std::string_view raw) {
  std::string path;
  while (!raw.empty()) {
    const std::size_t end = std::min(raw.find('/'), raw.size());
    const std::string_view part = raw.substr(0, end);
    raw.remove_prefix(std::min(end + 1, raw.size()));
    if (part == "..") path.clear();
    if (part.empty() || part == "." || part == "..") continue;
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

using ReadBytes = std::function<void(int64_t offset, std::span<uint8_t> to)>;

class Reader {
 public:
  Reader(int64_t size, ReadBytes read, const std::string& name)
      : size_(size), read_(std::move(read)), name_(name) {}

  std::vector<TarMember> run() {
    if (size_ == 0) throw user_error(name_, ": empty file: expected a tar archive");
    const std::string start = bytes_at(0, std::min<int64_t>(size_, kBlock));
    reject_other_formats(start, name_);
    require_no_placeholder(start, name_);
    while (read_header()) {
    }
    require_no_second_archive();
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
    throw user_error(name_, ": truncated tar archive of ", size_, " bytes: ", what);
  }

  std::string bytes_at(int64_t offset, int64_t count) const {
    std::string bytes(static_cast<std::size_t>(count), '\0');
    read_(offset, {reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()});
    return bytes;
  }

  std::string_view text(Field field) const {
    const char* start = reinterpret_cast<const char*>(header_.data() + field.offset);
    return {start, strnlen(start, field.length)};
  }

  /// Octal digits between spaces, or base 256 when the first byte's top bit is set (GNU).
  int64_t number(Field field, const char* what) const {
    const uint8_t* bytes = header_.data() + field.offset;
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

  bool sum_is_right() const {
    // Old writers summed signed bytes; both are accepted, as POSIX asks.
    int64_t plain = 0, with_sign = 0;
    for (std::size_t i = 0; i < header_.size(); ++i) {
      const bool inside = i >= kChecksum.offset && i < kChecksum.offset + kChecksum.length;
      plain += inside ? ' ' : header_[i];
      with_sign += inside ? ' ' : static_cast<int8_t>(header_[i]);
    }
    const int64_t stored = number(kChecksum, "checksum");
    return stored == plain || stored == with_sign;
  }

  bool is_zero() const {
    return std::all_of(header_.begin(), header_.end(), [](uint8_t byte) { return byte == 0; });
  }

  /// Moves on behind the contents that follow the header just read.
  void skip_contents(int64_t size, const std::string& member) {
    const int64_t left = size_ - next_;
    if (size > left)
      truncated(concat("'", member, "' needs ", size, " bytes, ", left, " are left"));
    next_ += std::min(left, (size + kBlock - 1) / kBlock * kBlock);
  }

  /// The contents of an extended header: a name or a few records.
  std::string take_contents(int64_t size, const std::string& what) {
    constexpr int64_t kMost = int64_t{1} << 20;
    if (size > kMost) damaged(concat(what, " of ", size, " bytes"));
    const int64_t start = next_;
    skip_contents(size, what);
    return bytes_at(start, size);
  }

  /// No path is longer on Linux; a short header may not ask for any number of long names.
  std::string name_of(std::string_view text) const {
    constexpr std::size_t kLongestPath = 4096;
    if (text.size() > kLongestPath) damaged(concat("a name of ", text.size(), " bytes"));
    return std::string(text);
  }

  void read_pax(std::string_view rest, Extended& into) const {
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
      if (key == "path") into.path = name_of(value);
      if (key == "linkpath") into.link = name_of(value);
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
    if (size_ - next_ < kBlock) {
      if (header_at_ == 0) damaged("shorter than one header");
      truncated("the end-of-archive mark is missing");
    }
    read_(next_, header_);
    next_ += kBlock;
    if (is_zero()) return false;
    if (!sum_is_right()) damaged("wrong checksum");

    const char type = static_cast<char>(header_[kType]);
    const int64_t size = number(kSize, "size");
    switch (type) {
      case 'L':
      case 'K': {
        const std::string contents = take_contents(size, "long name");
        (type == 'L' ? one_.path : one_.link) = name_of(contents.c_str());
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
    if (std::memcmp(header_.data() + kMagic.offset, "ustar", kMagic.length) == 0 &&
        !text(kPrefix).empty())
      stored = concat(text(kPrefix), "/", stored);
    const std::string raw = one_.path.value_or(all_.path.value_or(stored));
    TarMember member;
    member.name = clean_path(raw);
    const std::string link = one_.link.value_or(all_.link.value_or(std::string(text(kLinkName))));
    if (type == '3' || type == '4' || type == '6') {
      member.kind = TarMember::Kind::kSpecial;
    } else if (type == '1') {
      if (!member.name.empty()) hard_links_.push_back({members_.size(), clean_path(link)});
    } else if (type == '2') {
      member.kind = TarMember::Kind::kLink;
      member.link = link;
    } else if (type == '5' || ((type == '\0' || type == '0') && raw.ends_with('/'))) {
      member.kind = TarMember::Kind::kFolder;
    } else {  // regular, or unknown: POSIX treats those as regular
      member.offset = next_;
      member.size = one_.size.value_or(all_.size.value_or(header_size));
      skip_contents(member.size, member.name);
      if (type == 'V' || type == 'D') return;  // GNU volume label and directory dump
    }
    if (!member.name.empty()) members_.push_back(std::move(member));
  }

  /// Archives joined with cat: tar itself, and so everybody, stops at the end of the first. Other
  /// bytes behind the end mark are padding.
  void require_no_second_archive() {
    constexpr int64_t kChunk = 128 * kBlock;
    for (std::string chunk; next_ < size_; next_ += static_cast<int64_t>(chunk.size())) {
      chunk = bytes_at(next_, std::min(kChunk, size_ - next_));
      const std::size_t first = chunk.find_first_not_of('\0');
      if (first == std::string::npos) continue;
      const std::size_t at = first / header_.size() * header_.size();
      if (chunk.size() - at < header_.size()) return;
      std::memcpy(header_.data(), chunk.data() + at, header_.size());
      header_at_ = next_ + static_cast<int64_t>(at);
      if (std::memcmp(header_.data() + kMagic.offset, "ustar", kMagic.length - 1) == 0)
        throw user_error(name_, ": a second archive begins at byte ", header_at_,
                         ", behind the end of the first: join them with tar --concatenate");
      return;
    }
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
      if (source.kind != TarMember::Kind::kFile)
        throw user_error(name_, ": '", members_[at].name, "' is a hard link to '", target,
                         "', which is not a file: pack the archive with tar --hard-dereference");
      members_[at].offset = source.offset;
      members_[at].size = source.size;
    }
  }

  int64_t size_;
  ReadBytes read_;
  const std::string& name_;
  int64_t next_ = 0, header_at_ = 0;
  std::array<uint8_t, kBlock> header_{};
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
  const auto read = [archive](int64_t offset, std::span<uint8_t> to) {
    std::copy_n(archive.begin() + offset, to.size(), to.begin());
  };
  return Reader(static_cast<int64_t>(archive.size()), read, name).run();
}

std::vector<TarMember> index_tar(const InputFile& archive, const std::string& name) {
  const auto read = [&archive](int64_t offset, std::span<uint8_t> to) { archive.read(offset, to); };
  return Reader(archive.size(), read, name).run();
}

}  // namespace shiftadd::data
