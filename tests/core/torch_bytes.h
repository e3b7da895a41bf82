// Builds PyTorch checkpoints byte by byte: pickle opcodes and stored zip archives.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/io/crc32.h"

namespace shiftadd::test {

/// Appends opcodes: PickleBytes().dict().text("w").tensor("0", {2, 3}, {3, 1}).set().stop()
class PickleBytes {
 public:
  PickleBytes() : bytes("\x80\x02", 2) {}
  PickleBytes& raw(std::string_view opcodes) { return bytes += opcodes, *this; }
  PickleBytes& dict() { return raw("}"); }
  PickleBytes& set() { return raw("s"); }
  PickleBytes& number(int32_t value) { return raw("J").little(value); }
  PickleBytes& text(const std::string& value) {
    return raw("X").little(static_cast<uint32_t>(value.size())).raw(value);
  }
  PickleBytes& global(const std::string& module, const std::string& name) {
    return raw("c" + module + "\n" + name + "\n");
  }
  PickleBytes& tuple(const std::vector<int32_t>& values) {
    raw("(");
    for (int32_t value : values) number(value);
    return raw("t");
  }
  PickleBytes& storage(const std::string& key, int32_t elements,
                       const std::string& type = "FloatStorage") {
    return raw("(")
        .text("storage")
        .global("torch", type)
        .text(key)
        .text("cpu")
        .number(elements)
        .raw("tQ");
  }
  /// _rebuild_tensor_v2 on a storage.
  PickleBytes& tensor(const std::string& key, int32_t elements, const std::vector<int32_t>& size,
                      const std::vector<int32_t>& stride, int32_t offset = 0,
                      const std::string& type = "FloatStorage") {
    global("torch._utils", "_rebuild_tensor_v2")
        .raw("(")
        .storage(key, elements, type)
        .number(offset);
    return tuple(size).tuple(stride).raw("\x89").global("collections", "OrderedDict").raw(")RtR");
  }
  std::string stop() { return bytes + "."; }

  std::string bytes;

 private:
  template <class T>
  PickleBytes& little(T value) {
    return raw(std::string_view(reinterpret_cast<const char*>(&value), sizeof value));
  }
};

struct ZipMember {
  std::string name, data;
  uint16_t method = 0;
  uint32_t crc_error = 0;  // added to the right CRC-32
};

inline std::string little(uint64_t value, int width) {
  return std::string(reinterpret_cast<const char*>(&value), static_cast<std::size_t>(width));
}

/// A zip archive with the members as they are (nothing is compressed, whatever `method` says).
inline std::string zip_bytes(const std::vector<ZipMember>& members) {
  std::string out, directory;
  for (const ZipMember& m : members) {
    const uint32_t crc = crc32_of_zip(m.data.data(), m.data.size()) + m.crc_error;
    const std::string sizes = little(crc, 4) + little(m.data.size(), 4) + little(m.data.size(), 4) +
                              little(m.name.size(), 2);
    const std::string head =
        little(0, 2) + little(m.method, 2) + little(0, 4);  // flags, method, time
    directory += "PK\1\2" + little(0, 4) + head + sizes + little(0, 2) + little(0, 2) +
                 little(0, 8) + little(out.size(), 4) + m.name;
    out += "PK\3\4" + little(0, 2) + head + sizes + little(0, 2) + m.name + m.data;
  }
  const std::size_t at = out.size();
  return out + directory + "PK\5\6" + little(0, 4) + little(members.size(), 2) +
         little(members.size(), 2) + little(directory.size(), 4) + little(at, 4) + little(0, 2);
}

/// A checkpoint in the zip format: a pickle and float storages "0", "1", ...
inline std::string torch_zip(const std::string& pickle,
                             const std::vector<std::string>& storages = {}) {
  std::vector<ZipMember> members = {{"archive/data.pkl", pickle}};
  for (std::size_t i = 0; i < storages.size(); ++i)
    members.push_back({"archive/data/" + std::to_string(i), storages[i]});
  return zip_bytes(members);
}

/// The same as the stream of before 1.6. Every storage holds floats.
inline std::string torch_legacy(const std::string& pickle,
                                const std::vector<std::string>& storages = {}) {
  std::string keys = "\x80\x02](";
  for (std::size_t i = 0; i < storages.size(); ++i) keys += "U\x01" + std::to_string(i);
  std::string out = std::string("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
  out += std::string("\x80\x02M\xe9\x03.", 6) +
         PickleBytes().dict().text("little_endian").raw("\x88s").stop();
  out += pickle + keys + "e.";
  for (const std::string& storage : storages) out += little(storage.size() / 4, 8) + storage;
  return out;
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

}  // namespace shiftadd::test
