// Safetensors files: 8-byte little-endian header size, JSON header, raw data. Written atomically,
// read through a map.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/tensor.h"

namespace shiftadd {

/// Tensors in file order with unique names, and string metadata. The checksum (checksum.h) is the
/// reader's and the writer's matter, and never among the metadata here.
struct TensorFile {
  NamedTensors tensors;
  std::map<std::string, std::string> metadata;
  bool has_checksum = false;  // and it is right
  /// Tensors of types that the format has and this program does not read: name, type ("F8_E4M3").
  std::map<std::string, std::string> unread = {};

  const Tensor* find(const std::string& name) const;
  const Tensor& at(
      const std::string& name) const;  // throws Error naming the tensor and the nearest name
};

/// Maps the file; tensors are views of the map (do not write through them). dtypes: F64 F32 F16
/// BF16 I64 I32 I8 U8 BOOL(as u8); others are listed as unread. Checks everything a hostile file
/// can get wrong (header size, overlap, holes, overflow, duplicate names, shape times size) before
/// touching data; throws Error naming file, tensor and reason, or what the file is where it is none
/// of this format. The checksum of a file that has one is held against all of its bytes; of a file
/// that has none, but metadata of ours, a notice says so (notices.h).
TensorFile read_safetensors(const std::string& path);
/// The same, but a wrong checksum is no error: `damage` says what is wrong ("": nothing is), and
/// the numbers may be.
TensorFile read_damaged_safetensors(const std::string& path, std::string& damage);
/// read_safetensors from memory, which must outlive the tensors: for tests and fuzzing.
TensorFile parse_safetensors(const void* bytes, std::size_t size, const std::string& name);

/// Data is 64-byte aligned, and the file carries its checksum. Atomic: temporary file, fsync,
/// rename; on failure the old file is untouched and nothing is left behind. Throws Error (failure).
void write_safetensors(const std::string& path, const TensorFile& file);

}  // namespace shiftadd
