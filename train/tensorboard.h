// TensorBoard event files: TFRecord framing around the few protobuf fields that scalars need.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "train/append_file.h"

namespace shiftadd::train {

/// CRC-32C (Castagnoli), reflected, as RFC 3720 section B.4 tests it.
uint32_t crc32c(std::string_view bytes);
/// TFRecord's masking, which keeps a CRC of data that holds CRCs sound.
uint32_t masked_crc32c(std::string_view bytes);

using Scalars = std::vector<std::pair<std::string, double>>;  // tag, value

class EventFile {
 public:
  /// Continues `path` at `size` bytes; a file of no bytes gets the version record first.
  /// wall_time: seconds since 1970.
  EventFile(const std::string& path, int64_t size, double wall_time);
  /// One Event with a Summary of all scalars.
  void write(int64_t step, double wall_time, const Scalars& scalars);
  int64_t size() const { return file_.size(); }

 private:
  void write_record(const std::string& event);
  AppendFile file_;
};

}  // namespace shiftadd::train
