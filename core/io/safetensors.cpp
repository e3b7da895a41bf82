// Reads safetensors with every check, and writes them atomically.
#include "core/io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "core/io/checksum.h"
#include "core/io/crc32.h"
#include "core/io/files.h"
#include "core/io/not_weights.h"
#include "core/memory.h"
#include "core/names.h"

namespace shiftadd {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian");

constexpr uint64_t kLargestHeader = 100'000'000;  // the format's own limit
constexpr std::size_t kLongestShown = 120;        // of a hostile name, in an error message

std::string shown(const std::string& name) {
  return name.size() <= kLongestShown ? name : name.substr(0, kLongestShown) + "...";
}

// The format's types. Those that are not read are skipped, but their size is checked all the same.
struct TypeName {
  const char* name;
  uint64_t bits;  // of one number
  bool is_read;
  DType dtype;
};
constexpr TypeName kTypes[] = {{"F64", 64, true, DType::kF64}, {"F32", 32, true, DType::kF32},
                               {"F16", 16, true, DType::kF16}, {"BF16", 16, true, DType::kBF16},
                               {"I64", 64, true, DType::kI64}, {"I32", 32, true, DType::kI32},
                               {"I16", 16, true, DType::kI16}, {"I8", 8, true, DType::kI8},
                               {"U8", 8, true, DType::kU8},    {"BOOL", 8, true, DType::kU8},
                               {"C64", 64, false, {}},         {"U64", 64, false, {}},
                               {"U32", 32, false, {}},         {"U16", 16, false, {}},
                               {"F8_E4M3", 8, false, {}},      {"F8_E5M2", 8, false, {}},
                               {"F8_E8M0", 8, false, {}},      {"F8_E4M3FNUZ", 8, false, {}},
                               {"F8_E5M2FNUZ", 8, false, {}},  {"F6_E2M3", 6, false, {}},
                               {"F6_E3M2", 6, false, {}},      {"F4", 4, false, {}}};

const char* name_in_file(DType dtype) {
  for (const TypeName& entry : kTypes)
    if (entry.is_read && entry.dtype == dtype) return entry.name;
  throw failure("[safetensors] no name for dtype ", dtype);
}

struct Entry {
  std::string name, dtype;
  std::vector<uint64_t> shape, offsets;
  bool has_dtype = false, has_shape = false, has_offsets = false;
};

// Reads the header event by event, so that a duplicate key, a deep nesting or an odd value is
// refused where it stands and nothing but the entries is ever built.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::vector<Entry> entries;
  std::map<std::string, std::string> metadata;
  std::string reason;

  bool null() override { return refuse("null"); }
  bool boolean(bool) override { return refuse("a boolean"); }
  bool number_integer(number_integer_t) override { return refuse("a negative number"); }
  bool number_float(number_float_t, const string_t& text) override {
    return refuse("the number " + shown(text));
  }
  bool binary(binary_t&) override { return refuse("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (depth_ != 3) return refuse("a number");
    numbers_->push_back(value);
    return true;
  }

  bool string(string_t& text) override {
    if (depth_ == 2 && in_metadata_) {
      metadata[field_] = text;
      return true;
    }
    if (depth_ != 2 || field_ != "dtype") return refuse("a string");
    entries.back().dtype = text;
    return true;
  }

  bool start_object(std::size_t) override {
    if (depth_ > 1) return refuse("an object");
    ++depth_;
    return true;
  }
  bool end_object() override {
    --depth_;
    in_metadata_ = in_metadata_ && depth_ > 1;
    return true;
  }

  bool start_array(std::size_t) override {
    if (depth_ != 2 || in_metadata_ || field_ == "dtype") return refuse("an array");
    numbers_ = field_ == "shape" ? &entries.back().shape : &entries.back().offsets;
    ++depth_;
    return true;
  }
  bool end_array() override {
    --depth_;
    return true;
  }

  bool key(string_t& text) override {
    if (depth_ == 1) return start_entry(text);
    field_ = text;
    if (in_metadata_) {
      if (!metadata.contains(text)) return true;
      return fail("metadata key '" + shown(text) + "' occurs twice");
    }
    Entry& entry = entries.back();
    bool* seen = text == "dtype"          ? &entry.has_dtype
                 : text == "shape"        ? &entry.has_shape
                 : text == "data_offsets" ? &entry.has_offsets
                                          : nullptr;
    if (!seen)
      return fail("tensor '" + shown(entry.name) + "' has an unknown field '" + shown(text) + "'");
    if (*seen) return fail("tensor '" + shown(entry.name) + "' gives '" + text + "' twice");
    return *seen = true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception&) override {
    return fail(concat("the header is not valid JSON (at byte ", position, " of it)"));
  }

 private:
  bool start_entry(const std::string& name) {
    if (!names_.insert(name).second) return fail("the name '" + shown(name) + "' occurs twice");
    in_metadata_ = name == "__metadata__";
    field_.clear();
    if (!in_metadata_) entries.emplace_back().name = name;
    return true;
  }
  bool refuse(const std::string& what) {
    if (depth_ == 0) return fail("the header is " + what + ": expected an object");
    if (in_metadata_) return fail("__metadata__ holds " + what + ": expected only strings");
    if (entries.empty()) return fail("the header holds " + what + " out of place");
    return fail("tensor '" + shown(entries.back().name) + "' holds " + what +
                " out of place (field '" + shown(field_) + "')");
  }
  bool fail(const std::string& text) {
    if (reason.empty()) reason = text;
    return false;
  }

  int depth_ = 0;
  bool in_metadata_ = false;
  std::string field_;
  std::vector<uint64_t>* numbers_ = nullptr;
  std::set<std::string> names_;
};

// What the error messages of one file have in common.
struct Source {
  const std::string& file;
  template <class... Parts>
  Error error(const Parts&... parts) const {
    return user_error("[safetensors] ", file, ": ", parts...);
  }
};

const TypeName& type_of(const Entry& entry, const Source& source) {
  for (const TypeName& known : kTypes)
    if (entry.dtype == known.name) return known;
  throw source.error("tensor '", shown(entry.name), "' has dtype '", shown(entry.dtype),
                     "': expected F64, F32, F16, BF16, I64, I32, I8, U8 or BOOL");
}

// Checks shape and offsets against each other and the data section; returns the shape.
Shape checked_shape(const Entry& entry, uint64_t bits, uint64_t available, const Source& source) {
  const std::string name = shown(entry.name);
  if (!entry.has_shape || entry.offsets.size() != 2)
    throw source.error("tensor '", name, "' needs dtype, shape and two data_offsets");
  uint64_t size = bits;
  Shape shape;
  for (uint64_t extent : entry.shape) {
    constexpr uint64_t kMost = std::numeric_limits<int64_t>::max();
    if (extent > kMost || __builtin_mul_overflow(size, extent, &size) || size > kMost)
      throw source.error("tensor '", name, "' has a shape that overflows");
    shape.push_back(static_cast<int64_t>(extent));
  }
  const uint64_t begin = entry.offsets[0], end = entry.offsets[1], bytes = (size + 7) / 8;
  if (begin > end || end > available)
    throw source.error("tensor '", name, "' lies at bytes ", begin, " to ", end,
                       ": the file holds ", available, " bytes of data (cut short?)");
  if (end - begin != bytes)
    throw source.error("tensor '", name, "' of dtype ", entry.dtype, " and shape ", shape,
                       " needs ", bytes, " bytes, its data_offsets span ", end - begin);
  return shape;
}

// The format allows neither holes nor overlaps: sorted by offset, each tensor starts where the last
// ended.
void check_layout(const std::vector<Entry>& entries, uint64_t available, const Source& source) {
  std::vector<const Entry*> order;
  for (const Entry& entry : entries) order.push_back(&entry);
  std::stable_sort(order.begin(), order.end(),
                   [](const Entry* a, const Entry* b) { return a->offsets < b->offsets; });
  uint64_t end = 0;
  for (const Entry* entry : order) {
    if (entry->offsets[0] != end)
      throw source.error("tensor '", shown(entry->name), "' starts at byte ", entry->offsets[0],
                         entry->offsets[0] < end ? " and overlaps" : " and leaves a hole after",
                         " the tensor before it, which ends at ", end);
    end = entry->offsets[1];
  }
  if (end != available)
    throw source.error("the tensors end at byte ", end, " of ", available, " bytes of data");
}

bool starts_with_brace(std::string_view header) {
  const std::size_t first = header.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && header[first] == '{';
}

// `damage`: gets what is wrong with the checksum, which is an error where it is null.
TensorFile parse(std::shared_ptr<const void> owner, const uint8_t* bytes, std::size_t size,
                 const std::string& name, std::string* damage = nullptr) {
  const Source source{name};
  uint64_t header_size = 0;
  if (size >= 8) std::memcpy(&header_size, bytes, 8);
  const bool fits = size >= 8 && header_size <= kLargestHeader && header_size <= size - 8;
  const std::string_view text(fits ? reinterpret_cast<const char*>(bytes) + 8 : "",
                              fits ? header_size : 0);
  const bool starts = starts_with_brace(text);
  if (!starts)
    if (const std::string what = what_instead_of_weights(bytes, size); !what.empty())
      throw user_error(name, " ", what);
  bool has_checksum = false;
  try {
    has_checksum = has_right_checksum(kSafetensorsChecksum, {bytes, size}, "[safetensors] " + name);
  } catch (const Error& wrong) {
    if (!damage) throw;
    *damage = wrong.what();
  }
  if (size < 8) throw source.error("has ", size, " bytes: too short for a safetensors file");
  if (!fits)
    throw source.error("the header would take ", header_size, " bytes, the file has ", size,
                       " (not a safetensors file, or cut short)");
  if (!starts) throw source.error("the header does not start with '{'");
  HeaderReader header;
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &header))
    throw source.error(header.reason);

  const uint8_t* data = bytes + 8 + header_size;
  const uint64_t available = size - 8 - header_size;
  TensorFile file;
  file.has_checksum = has_checksum;
  file.metadata = std::move(header.metadata);
  file.metadata.erase(kChecksumKey);
  for (const Entry& entry : header.entries) {
    const auto& [type, bits, is_read, dtype] = type_of(entry, source);
    Shape shape = checked_shape(entry, bits, available, source);
    if (!is_read) {
      file.unread.emplace(entry.name, type);
      continue;
    }
    const uint8_t* start = data + entry.offsets[0];
    if (reinterpret_cast<uintptr_t>(start) % size_of(dtype) == 0) {
      file.tensors.emplace_back(entry.name, Tensor::wrap(owner, start, std::move(shape), dtype));
    } else {  // an odd header size: unaligned numbers may not be read in place
      Tensor copy(std::move(shape), dtype);
      std::memcpy(copy.raw(), start, copy.bytes());
      file.tensors.emplace_back(entry.name, std::move(copy));
    }
  }
  check_layout(header.entries, available, source);
  return file;
}

std::string quoted(const std::string& text, const std::string& path) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    throw failure(path, ": the name '", shown(text), "' is not UTF-8 and cannot be written");
  }
}

// The header of `file`, whose tensors begin at `begin`, with zeros for its checksum.
std::string header_of(const TensorFile& file, const std::vector<uint64_t>& begin,
                      const std::string& path) {
  std::string header = unsummed(kSafetensorsChecksum);
  for (const auto& [key, value] : file.metadata)
    if (key != kChecksumKey) header += "," + quoted(key, path) + ":" + quoted(value, path);
  header += "}";
  std::set<std::string> names{"__metadata__"};
  for (std::size_t i = 0; i < file.tensors.size(); ++i) {
    const auto& [name, tensor] = file.tensors[i];
    if (!tensor.defined()) throw failure(path, ": tensor '", shown(name), "' is undefined");
    if (!names.insert(name).second)
      throw failure(path, ": the name '", shown(name), "' cannot be written twice");
    header += "," + quoted(name, path) + ":{\"dtype\":\"" + name_in_file(tensor.dtype()) +
              "\",\"shape\":[";
    for (std::size_t axis = 0; axis < tensor.shape().size(); ++axis)
      header += (axis ? "," : "") + std::to_string(tensor.shape()[axis]);
    header += "],\"data_offsets\":[" + std::to_string(begin[i]) + "," +
              std::to_string(begin[i] + tensor.bytes()) + "]}";
  }
  header += "}";
  header.resize((8 + header.size() + kAlignment - 1) / kAlignment * kAlignment - 8, ' ');
  return header;
}

}  // namespace

const Tensor* TensorFile::find(const std::string& name) const {
  for (const auto& [known, tensor] : tensors)
    if (known == name) return &tensor;
  return nullptr;
}

const Tensor& TensorFile::at(const std::string& name) const {
  if (const Tensor* found = find(name)) return *found;
  std::vector<std::string> names;
  for (const auto& entry : tensors) names.push_back(entry.first);
  throw user_error("[safetensors] no tensor '", shown(name), "' among ", names.size(),
                   did_you_mean(name, names));
}

TensorFile read_safetensors(const std::string& path) {
  MappedFile map = map_file(path);
  TensorFile file = parse(std::move(map.owner), map.data, map.size, path);
  if (!file.has_checksum &&
      std::any_of(file.metadata.begin(), file.metadata.end(),
                  [](const auto& entry) { return entry.first.starts_with("shiftadd."); }))
    notice_no_checksum(path);
  return file;
}

TensorFile read_damaged_safetensors(const std::string& path, std::string& damage) {
  MappedFile map = map_file(path);
  damage.clear();
  return parse(std::move(map.owner), map.data, map.size, path, &damage);
}

TensorFile parse_safetensors(const void* bytes, std::size_t size, const std::string& name) {
  return parse(nullptr, static_cast<const uint8_t*>(bytes), size, name);
}

void write_safetensors(const std::string& path, const TensorFile& file) {
  // Wide dtypes come first in the data, so that every tensor is aligned to its own size; the header
  // keeps the caller's order.
  std::vector<std::size_t> order(file.tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return size_of(file.tensors[a].second.dtype()) > size_of(file.tensors[b].second.dtype());
  });
  std::vector<uint64_t> begin(order.size());
  uint64_t end = 0;
  for (std::size_t i : order) {
    begin[i] = end;
    end += file.tensors[i].second.bytes();
  }

  const std::string header = header_of(file, begin, path);
  const uint64_t header_size = header.size();
  std::string head(reinterpret_cast<const char*>(&header_size), sizeof header_size);
  head += header;
  uint32_t sum = crc32c(head.data(), head.size());
  for (std::size_t i : order)
    sum = crc32c(file.tensors[i].second.raw(), file.tensors[i].second.bytes(), sum);
  set_checksum(kSafetensorsChecksum, head, sum);

  AtomicFile out(path);
  out.write(head);
  for (std::size_t i : order)
    out.write(file.tensors[i].second.raw(), file.tensors[i].second.bytes());
  out.commit();
}

}  // namespace shiftadd
