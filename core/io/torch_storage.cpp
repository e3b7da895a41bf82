// Follows storage ids and rebuild calls, and makes strided views dense.
#include "core/io/torch_storage.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string_view>

namespace shiftadd {
namespace {

using Kind = PickleValue::Kind;

struct StorageType {
  const char* name;
  std::size_t element_size;
  bool is_supported;
  DType dtype;
  bool is_int16;
};
constexpr StorageType kStorageTypes[] = {
    {"FloatStorage", 4, true, DType::kF32, false},
    {"DoubleStorage", 8, true, DType::kF64, false},
    {"HalfStorage", 2, true, DType::kF16, false},
    {"BFloat16Storage", 2, true, DType::kBF16, false},
    {"LongStorage", 8, true, DType::kI64, false},
    {"IntStorage", 4, true, DType::kI32, false},
    {"ShortStorage", 2, true, DType::kI32, true},
    {"CharStorage", 1, true, DType::kI8, false},
    {"ByteStorage", 1, true, DType::kU8, false},
    {"BoolStorage", 1, true, DType::kU8, false},
    {"ComplexFloatStorage", 8, false, {}, false},
    {"ComplexDoubleStorage", 16, false, {}, false},
    {"QInt8Storage", 1, false, {}, false},
    {"QUInt8Storage", 1, false, {}, false},
    {"QInt32Storage", 4, false, {}, false},
    {"QUInt4x2Storage", 1, false, {}, false},
    {"QUInt2x4Storage", 1, false, {}, false},
    {"UntypedStorage", 1, false, {}, false},
};

// Calls that give a tensor: arguments (storage, offset, size, stride, ...).
bool is_rebuild_tensor(const std::string& global) {
  return global == "torch._utils._rebuild_tensor_v2" || global == "torch._utils._rebuild_tensor";
}
// Calls that wrap a tensor: arguments (tensor, ...).
bool is_rebuild_parameter(const std::string& global) {
  return global == "torch._utils._rebuild_parameter" ||
         global == "torch._utils._rebuild_parameter_with_state";
}
// A plain tensor with Python attributes: arguments (rebuild, torch.Tensor, (its arguments), state).
bool is_rebuild_from_type(const std::string& global) {
  return global == "torch._tensor._rebuild_from_type_v2";
}

const std::string& called(const PickleValue& value) {
  static const std::string kNothing;
  const bool is_call = value.is(Kind::kObject) && value.items[0]->is(Kind::kGlobal);
  return is_call ? value.items[0]->text : kNothing;
}

bool is_plain_from_type(const std::vector<PickleValue*>& parts) {
  return parts.size() >= 3 && parts[0]->is(Kind::kGlobal) && is_rebuild_tensor(parts[0]->text) &&
         (parts[1]->text == "torch.Tensor" || parts[1]->text == "torch.nn.parameter.Parameter");
}

bool is_numpy_array(const std::string& global) {
  return global.starts_with("numpy.") && global.ends_with("._reconstruct");
}

// A storage or tensor among the values, or in tuples and lists of them. Only the first few of each
// are looked at: no type of tensor has more, and a file could repeat one list without end.
bool holds_storage(const PickleValue& values, int depth) {
  constexpr std::size_t kMost = 8;
  const auto end =
      values.items.begin() + static_cast<std::ptrdiff_t>(std::min(kMost, values.items.size()));
  return std::any_of(values.items.begin(), end, [&](const PickleValue* item) {
    if (item->is(Kind::kPersistent) || TorchTensors::is_tensor(*item)) return true;
    return depth > 0 && (item->is(Kind::kTuple) || item->is(Kind::kList)) &&
           holds_storage(*item, depth - 1);
  });
}

const char* description(const PickleValue& value) {
  static constexpr const char* kNames[] = {
      "None",     "a bool", "an integer", "a float",        "an integer above 64 bits",
      "a string", "bytes",  "a tuple",    "a list",         "a set",
      "a dict",   "a name", "an object",  "a persistent id"};
  return kNames[static_cast<int>(value.kind)];
}

std::string shown(const PickleValue& value) {
  const std::string& global = value.is(Kind::kGlobal) ? value.text : called(value);
  return global.empty() ? description(value) : concat(description(value), " of ", global);
}

std::string key_text(const PickleValue& value) {
  return value.is(Kind::kInt) ? std::to_string(value.integer) : value.text;
}

}  // namespace

// A strided window into a storage.
struct TorchTensors::View {
  const uint8_t* data = nullptr;  // of its first element
  StorageId storage;
  Shape shape, stride;
  int64_t count = 0;
  bool is_dense = false;
};

// The type a storage's persistent id names, null where none is known; `global` is the id's second
// item.
const StorageType* storage_type(std::string_view global) {
  for (const StorageType& type : kStorageTypes)
    if (global.starts_with("torch.") && global.ends_with(concat(".", type.name))) return &type;
  return nullptr;
}

StorageId storage_id(const PickleValue& value, const std::string& file) {
  const auto damaged = [&] {
    return user_error("[torch] ", file, ": a persistent id is not that of a storage");
  };
  if (!value.is(Kind::kPersistent) || !value.items[0]->is(Kind::kTuple)) throw damaged();
  const std::vector<PickleValue*>& id = value.items[0]->items;
  if (id.size() < 5 || id[0]->text != "storage" || !id[1]->is(Kind::kGlobal) ||
      !id[4]->is(Kind::kInt) || id[4]->integer < 0 ||
      !(id[2]->is(Kind::kString) || id[2]->is(Kind::kInt)))
    throw damaged();
  const StorageType* type = storage_type(id[1]->text);
  if (!type)
    throw user_error("[torch] ", file, ": storage '", key_text(*id[2]), "' has the type ",
                     id[1]->text, ", which is not known");
  StorageId result = {key_text(*id[2]),
                      type->name,
                      type->element_size,
                      type->is_supported,
                      type->dtype,
                      type->is_int16,
                      static_cast<uint64_t>(id[4]->integer),
                      0};
  if (id.size() > 5 && id[5]->is(Kind::kTuple)) {  // (view key, offset, size)
    const std::vector<PickleValue*>& view = id[5]->items;
    if (view.size() != 3 || !view[1]->is(Kind::kInt) || view[1]->integer < 0) throw damaged();
    result.view_offset = static_cast<uint64_t>(view[1]->integer);
  }
  return result;
}

bool TorchTensors::is_tensor(const PickleValue& value) {
  const std::string& global = called(value);
  return is_rebuild_tensor(global) || is_rebuild_parameter(global) || is_rebuild_from_type(global);
}

bool TorchTensors::depends_on_storage(const PickleValue& value) {
  if (value.is(Kind::kPersistent)) return true;
  const std::string& global = called(value);
  if (global.starts_with("torch._utils._rebuild") || is_numpy_array(global)) return true;
  return value.is(Kind::kObject) && holds_storage(*value.items[1], 3);
}

std::string TorchTensors::unread_reason(const PickleValue& value) {
  const PickleValue* call = &value;
  for (int depth = 0; depth < 4 && is_rebuild_parameter(called(*call)); ++depth) {
    const std::vector<PickleValue*>& arguments = call->items[1]->items;
    if (arguments.empty()) return "";
    call = arguments[0];
  }
  const std::string& global = called(*call);
  if (!is_tensor(*call)) {
    const std::vector<PickleValue*>* arguments =
        global == "torch._utils._rebuild_tensor_v3" ? &call->items[1]->items : nullptr;
    if (arguments && arguments->size() > 6 && (*arguments)[6]->is(Kind::kGlobal))
      return concat("is of the type ", (*arguments)[6]->text, ", which is not read");
    if (is_numpy_array(global)) return "is an array of NumPy's: save tensors (torch.from_numpy)";
    return concat("depends on ", global.empty() ? "a bare storage" : global,
                  ", which is not plain data: save plain tensors (a state_dict)");
  }
  const std::vector<PickleValue*>* arguments = &call->items[1]->items;
  if (is_rebuild_from_type(global)) {
    if (!is_plain_from_type(*arguments))
      return "is of a type of its own: expected a plain torch.Tensor";
    arguments = &(*arguments)[2]->items;
  }
  const bool has_storage = !arguments->empty() && (*arguments)[0]->is(Kind::kPersistent) &&
                           (*arguments)[0]->items[0]->items.size() > 1;
  if (!has_storage) return "";
  const std::string& named = (*arguments)[0]->items[0]->items[1]->text;
  const StorageType* type = storage_type(named);
  if (type && type->is_supported) return "";
  return concat("is of the type ", named, ", which is not read");
}

Tensor TorchTensors::build(const std::string& name, const PickleValue& value) {
  const PickleValue* call = &value;
  for (int depth = 0; is_rebuild_parameter(called(*call)); ++depth) {
    const std::vector<PickleValue*>& arguments = call->items[1]->items;
    if (depth == 4 || arguments.empty() || !is_tensor(*arguments[0]))
      throw user_error("[torch] ", file_, ": parameter '", name, "' is not built from a tensor");
    call = arguments[0];
  }
  const View view = view_of(name, *call);
  const uintptr_t address = reinterpret_cast<uintptr_t>(view.data);
  if (view.is_dense && !view.storage.is_int16 && address % size_of(view.storage.dtype) == 0)
    return Tensor::wrap(owner_, view.data, view.shape, view.storage.dtype);
  return materialise(name, view);
}

template <class... Parts>
Error TorchTensors::damaged(const std::string& name, const Parts&... parts) const {
  return user_error("[torch] ", file_, ": tensor '", name, "' ", parts...);
}

// Checks the arguments of a rebuild call against the storage they point into.
TorchTensors::View TorchTensors::view_of(const std::string& name, const PickleValue& call) const {
  const auto error = [&](const auto&... parts) { return damaged(name, parts...); };
  const PickleValue* arguments = call.items[1];
  if (is_rebuild_from_type(called(call))) {
    if (!is_plain_from_type(arguments->items)) throw error("is of a type of its own");
    arguments = arguments->items[2];
  }
  const std::vector<PickleValue*>& given = arguments->items;
  if (given.size() < 4)
    throw error("has ", given.size(), " arguments: expected storage, offset, size and stride");
  if (!given[0]->is(Kind::kPersistent))
    throw error("depends on ", shown(*given[0]), ", which is not plain data: expected a storage");
  const auto integers = [&](const PickleValue& list, const char* what) {
    if (!list.is(Kind::kTuple) && !list.is(Kind::kList))
      throw error("has ", shown(list), " as its ", what, ": expected a tuple of integers");
    Shape values;
    for (const PickleValue* item : list.items) {
      if (!item->is(Kind::kInt) || item->integer < 0)
        throw error("has ", shown(*item), " in its ", what, ": expected integers from 0");
      values.push_back(item->integer);
    }
    return values;
  };

  View view;
  view.storage = storage_id(*given[0], file_);
  if (!view.storage.is_supported)
    throw error("is of the type ", view.storage.type, ", which is not read");
  if (!given[1]->is(Kind::kInt) || given[1]->integer < 0)
    throw error("has ", shown(*given[1]), " as its offset: expected an integer from 0");
  view.shape = integers(*given[2], "size");
  view.stride = integers(*given[3], "stride");
  if (view.shape.size() != view.stride.size())
    throw error("has sizes and strides of different length");
  if (view.shape.size() > 64) throw error("has ", view.shape.size(), " dimensions: more than 64");

  const auto found = storages_.find(view.storage.key);
  if (found == storages_.end())
    throw error("needs storage '", view.storage.key, "', which the file does not hold");
  const uint64_t held = found->second.size / view.storage.element_size;
  if (view.storage.elements > held)
    throw error("needs storage '", view.storage.key, "' of ", view.storage.elements,
                " elements, the file holds ", held);
  place(name, given[1]->integer, found->second.data, view);
  return view;
}

// Finds the first element of a view, `offset` elements behind the start of its storage; the storage
// is known to hold the elements it says.
void TorchTensors::place(const std::string& name, int64_t offset, const uint8_t* storage,
                         View& view) const {
  // The furthest element is offset + sum of (size - 1) * stride.
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  int64_t last = offset, dense = 1;
  view.count = 1;
  view.is_dense = true;
  bool overflows =
      view.storage.view_offset > kMost ||
      __builtin_add_overflow(last, static_cast<int64_t>(view.storage.view_offset), &last);
  const int64_t first = last;
  for (std::size_t axis = view.shape.size(); axis-- > 0 && !overflows;) {
    const int64_t extent = view.shape[axis], stride = view.stride[axis];
    int64_t span = 0;
    overflows = __builtin_mul_overflow(view.count, extent, &view.count) ||
                (extent > 1 && (__builtin_mul_overflow(extent - 1, stride, &span) ||
                                __builtin_add_overflow(last, span, &last)));
    if (extent != 1 && stride != dense) view.is_dense = false;
    if (extent > 1 && __builtin_mul_overflow(dense, extent, &dense)) overflows = true;
    if (extent == 1) view.stride[axis] = 0;  // never taken, and may be any number
  }
  if (std::find(view.shape.begin(), view.shape.end(), 0) != view.shape.end()) {
    // Empty tensors may have any strides; an overflowing product before the zero does not matter.
    element_count(view.shape);
    view.count = 0;
    view.is_dense = true;
    view.data = storage;
    return;
  }
  if (overflows || static_cast<uint64_t>(last) >= view.storage.elements)
    throw damaged(name, "of size ", view.shape, " and stride ", view.stride,
                  " reaches beyond its storage of ", view.storage.elements, " elements");
  if (static_cast<uint64_t>(view.count) > view.storage.elements)
    throw damaged(name, "of size ", view.shape,
                  " is expanded: it has more elements than its storage (", view.storage.elements,
                  "); save a contiguous copy");
  view.data = storage + static_cast<uint64_t>(first) * view.storage.element_size;
}

Tensor TorchTensors::materialise(const std::string& name, const View& view) {
  const uint64_t bytes = static_cast<uint64_t>(view.count) * size_of(view.storage.dtype);
  if (bytes > copy_budget_)
    throw user_error("[torch] ", file_, ": tensor '", name,
                     "': the views of shared storages add up to more than four times the file");
  copy_budget_ -= bytes;
  Tensor result(view.shape, view.storage.dtype);
  uint8_t* out = static_cast<uint8_t*>(result.raw());
  const std::size_t width = view.storage.element_size;
  std::vector<int64_t> index(view.shape.size(), 0);
  int64_t at = 0;
  for (int64_t i = 0; i < view.count; ++i) {
    const uint8_t* element = view.data + static_cast<uint64_t>(at) * width;
    if (view.storage.is_int16) {
      int16_t narrow;
      std::memcpy(&narrow, element, sizeof narrow);
      const int32_t wide = narrow;
      std::memcpy(out + 4 * i, &wide, sizeof wide);
    } else {
      std::memcpy(out + static_cast<uint64_t>(i) * width, element, width);
    }
    for (std::size_t axis = view.shape.size(); axis-- > 0;) {  // count up, last axis fastest
      at += view.stride[axis];
      if (++index[axis] < view.shape[axis]) break;
      at -= view.stride[axis] * view.shape[axis];
      index[axis] = 0;
    }
  }
  return result;
}

}  // namespace shiftadd
