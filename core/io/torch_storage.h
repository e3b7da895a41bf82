// Storages of a PyTorch checkpoint and the dense tensors cut from them.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "core/error.h"
#include "core/io/pickle.h"
#include "core/tensor.h"

namespace shiftadd {

/// What a persistent id says: ("storage", torch.FloatStorage, key, location, elements[, view]).
struct StorageId {
  std::string key;
  const char* type = nullptr;    // "FloatStorage"
  std::size_t element_size = 0;  // bytes
  bool is_supported = false;     // complex and quantised storages can be skipped but not read
  DType dtype = DType::kF32;     // in the file, unless `is_int16`
  bool is_int16 = false;         // there is no such Tensor: widened to i32
  uint64_t elements = 0;         // of the whole storage
  uint64_t view_offset = 0;      // elements, legacy files only
};

/// Throws Error (user) when `value` is no storage id.
StorageId storage_id(const PickleValue& value, const std::string& file);

/// Turns the inert rebuild calls of a checkpoint into tensors.
class TorchTensors {
 public:
  TorchTensors(std::string file, std::size_t file_size, std::shared_ptr<const void> owner)
      : file_(std::move(file)), copy_budget_(4 * file_size), owner_(std::move(owner)) {}

  void add_storage(const std::string& key, const uint8_t* data, std::size_t size) {
    storages_[key] = {data, size};
  }

  /// True for a call of torch._utils._rebuild_tensor_v2 and its like.
  static bool is_tensor(const PickleValue& value);
  /// True for any other object that is built from a storage or a tensor, or is an array of NumPy's.
  static bool depends_on_storage(const PickleValue& value);
  /// Why a value of either kind is of a type that is not read (complex, float8, quantised, sparse,
  /// a class of its own), after its name: "is of the type ..."; "" for one that build() takes.
  static std::string unread_reason(const PickleValue& value);
  /// Of a value that has no unread_reason. Throws Error (user) naming the tensor where it is
  /// damaged.
  Tensor build(const std::string& name, const PickleValue& value);

 private:
  struct Bytes {
    const uint8_t* data;
    std::size_t size;
  };
  struct View;
  template <class... Parts>
  Error damaged(const std::string& name, const Parts&... parts) const;
  View view_of(const std::string& name, const PickleValue& call) const;
  void place(const std::string& name, int64_t offset, const uint8_t* storage, View& view) const;
  Tensor materialise(const std::string& name, const View& view);

  std::string file_;
  std::size_t copy_budget_;  // copies may not add up to more than the file can justify
  std::shared_ptr<const void> owner_;
  std::map<std::string, Bytes> storages_;
};

}  // namespace shiftadd
