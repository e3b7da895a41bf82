// Finds the state dict in the containers and wrappers of PyTorch checkpoints.
#include "core/io/torch_file.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "core/io/average_name.h"
#include "core/io/files.h"
#include "core/io/pickle.h"
#include "core/io/torch_storage.h"
#include "core/io/zip.h"

namespace shiftadd {
namespace {

using Kind = PickleValue::Kind;

// The legacy stream starts with this pickled integer, 0x1950a86a20f9469cfc6c.
constexpr std::string_view kLegacyMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr int64_t kLegacyProtocol = 1001;

// Keys under which training scripts keep the state dict, moving averages last.
constexpr std::string_view kWrappers[] = {"model",       "state_dict", "model_state_dict",
                                          "model_state", "network",    "net",
                                          "module",      "model_ema"};
constexpr int kDeepestNesting = 32;

// What the reading of one file has in common.
struct Source {
  const std::string& file;
  template <class... Parts>
  Error error(const Parts&... parts) const {
    return user_error("[torch] ", file, ": ", parts...);
  }
};

// --- the state dict
// -------------------------------------------------------------------------------

struct Found {
  std::string name;
  const PickleValue* value;
};

// Walks dicts and lists and collects whatever is or wraps a tensor, under its dotted name. Names
// and visits are counted: a memo can make a small file look like an endless tree.
class Walk {
 public:
  Walk(const Source& source, std::size_t budget) : source_(source), budget_(budget) {}
  std::vector<Found> found;

  void visit(const PickleValue& value, const std::string& name, int depth) {
    if (depth > kDeepestNesting)
      throw source_.error("dicts are nested deeper than ", kDeepestNesting);
    if (name.size() + 1 > budget_) throw source_.error("the checkpoint repeats itself without end");
    budget_ -= name.size() + 1;
    if (TorchTensors::is_tensor(value) || TorchTensors::depends_on_storage(value)) {
      found.push_back({name.empty() ? "tensor" : name, &value});
    } else if (value.is(Kind::kDict)) {
      for (std::size_t i = 0; i < value.items.size(); i += 2) {
        const PickleValue& key = *value.items[i];
        if (key.is(Kind::kString)) visit(*value.items[i + 1], joined(name, key.text), depth + 1);
        if (key.is(Kind::kInt))
          visit(*value.items[i + 1], joined(name, std::to_string(key.integer)), depth + 1);
      }
    } else if (value.is(Kind::kList) || value.is(Kind::kTuple)) {
      for (std::size_t i = 0; i < value.items.size(); ++i)
        visit(*value.items[i], joined(name, std::to_string(i)), depth + 1);
    }
  }

 private:
  static std::string joined(const std::string& prefix, const std::string& key) {
    return prefix.empty() ? key : prefix + "." + key;
  }
  const Source& source_;
  std::size_t budget_;
};

std::vector<Found> tensors_in(const PickleValue& value, const Source& source, std::size_t size) {
  Walk walk(source, 64 * size + 65536);
  walk.visit(value, "", 0);
  return std::move(walk.found);
}

struct StateDict {
  const PickleValue* value;
  std::string wrapper;
};

StateDict chosen_state_dict(const PickleValue& root, const std::string& key, const Source& source) {
  StateDict chosen{&root, ""};
  for (std::string_view rest = key; !rest.empty();) {
    const std::size_t dot = std::min(rest.find('.'), rest.size());
    const std::string step(rest.substr(0, dot));
    const PickleValue* next = chosen.value->find(step);
    if (!next) {
      std::string known;
      for (std::size_t i = 0; i < chosen.value->items.size() && known.size() < 400; i += 2)
        if (chosen.value->is(Kind::kDict))
          known += (known.empty() ? "" : ", ") + chosen.value->items[i]->text;
      throw source.error("no entry '", step, "' for the state dict '", key,
                         "'; there are: ", known);
    }
    chosen = {next, key};
    rest.remove_prefix(std::min(dot + 1, rest.size()));
  }
  return chosen;
}

// Two entries hold the same network when most names of the smaller one are in the other.
bool hold_the_same(const std::vector<Found>& a, const std::vector<Found>& b) {
  const auto plain = [](const Found& each) {  // DataParallel adds a prefix of its own
    const std::string_view name = each.name;
    return name.starts_with("module.") ? name.substr(7) : name;
  };
  std::unordered_set<std::string_view> names;
  for (const Found& each : a) names.insert(plain(each));
  const auto common = static_cast<std::size_t>(std::count_if(
      b.begin(), b.end(), [&](const Found& each) { return names.contains(plain(each)); }));
  return 2 * common > std::min(names.size(), b.size());
}

// The entry of `dict` that holds the state dict; null where none is called like one.
const PickleValue* wrapped(const PickleValue& dict, const Source& source, std::size_t size,
                           std::string& wrapper) {
  std::string_view best;
  std::vector<Found> held;
  for (std::string_view key : kWrappers) {
    const PickleValue* inner = dict.find(std::string(key));
    if (!inner || !inner->is(Kind::kDict)) continue;
    std::vector<Found> tensors = tensors_in(*inner, source, size);
    if (tensors.empty()) continue;
    if (best.empty()) {
      best = key, held = std::move(tensors);
    } else if (!is_average_name(key) && hold_the_same(held, tensors)) {
      throw source.error("the entries '", best, "' and '", key,
                         "' hold the same network: choose one with --state-dict");
    }
  }
  if (best.empty()) return nullptr;
  wrapper += concat(wrapper.empty() ? "" : ".", best);
  return dict.find(std::string(best));
}

StateDict find_state_dict(const PickleValue& root, const Source& source, std::size_t size) {
  StateDict chosen{&root, ""};
  for (int depth = 0; depth < 4; ++depth) {
    const PickleValue* inner = wrapped(*chosen.value, source, size, chosen.wrapper);
    if (!inner) break;
    chosen.value = inner;
  }
  return chosen;
}

std::vector<std::string> class_names(const PickleValue& root) {
  for (const char* key : {"classes", "class_names"}) {
    const PickleValue* list = root.find(key);
    if (!list || !(list->is(Kind::kList) || list->is(Kind::kTuple))) continue;
    std::vector<std::string> names;
    for (const PickleValue* name : list->items)
      if (name->is(Kind::kString)) names.push_back(name->text);
    if (!names.empty() && names.size() == list->items.size()) return names;
  }
  return {};
}

bool is_data_global(const std::string& global) {
  static const std::unordered_set<std::string> kData = {"collections.OrderedDict",
                                                        "collections.defaultdict",
                                                        "_codecs.encode",
                                                        "torch.Size",
                                                        "torch.Tensor",
                                                        "torch.nn.parameter.Parameter",
                                                        "torch._tensor._rebuild_from_type_v2"};
  return kData.contains(global) || global.starts_with("builtins.") ||
         global.starts_with("__builtin__.") || global.starts_with("torch._utils._rebuild") ||
         (global.starts_with("torch.") && global.ends_with("Storage"));
}

TorchFile file_from(const Pickle& pickle, TorchTensors& builder, const Source& source,
                    std::size_t size, const std::string& key) {
  const PickleValue& root = pickle.root();
  const StateDict chosen =
      key.empty() ? find_state_dict(root, source, size) : chosen_state_dict(root, key, source);
  TorchFile result;
  result.wrapper = chosen.wrapper;
  result.classes = class_names(root);
  for (const std::string& global : pickle.globals())
    if (!is_data_global(global)) result.placeholders.push_back(global);

  std::unordered_set<std::string> names;
  for (const Found& found : tensors_in(*chosen.value, source, size)) {
    if (!names.insert(found.name).second)
      throw source.error("the name '", found.name, "' occurs twice");
    if (std::string reason = TorchTensors::unread_reason(*found.value); !reason.empty())
      result.unread.emplace(found.name, std::move(reason));
    else
      result.tensors.emplace_back(found.name, builder.build(found.name, *found.value));
  }
  if (result.tensors.empty()) {
    std::string seen;
    for (const std::string& global : result.placeholders)
      if (seen.size() < 200) seen += (seen.empty() ? "" : ", ") + global;
    if (!result.unread.empty())
      throw source.error("holds no tensors that are plain data: '", result.unread.begin()->first,
                         "' ", result.unread.begin()->second);
    throw source.error(
        "holds no tensors that are plain data",
        seen.empty() ? "" : " (whole objects of " + seen + " were saved: save the state_dict)");
  }
  if (!chosen.wrapper.empty()) {
    const std::string inside = chosen.wrapper + ".";
    for (const Found& found : tensors_in(root, source, size))
      if (!found.name.starts_with(inside)) result.outside.push_back(found.name);
  }
  return result;
}

// --- the two containers
// ---------------------------------------------------------------------------

TorchFile from_zip(const uint8_t* bytes, std::size_t size, const Source& source,
                   const std::string& key, std::shared_ptr<const void> owner, bool check_crc) {
  const std::vector<ZipEntry> entries = read_zip(bytes, size, source.file, check_crc);
  std::unordered_map<std::string_view, const ZipEntry*> by_name;
  const ZipEntry* program = nullptr;
  for (const ZipEntry& entry : entries) {
    by_name[entry.name] = &entry;
    const std::size_t slash = entry.name.find('/');
    if (entry.name.substr(slash == std::string::npos ? 0 : slash + 1) != "data.pkl") continue;
    if (program) throw source.error("holds two data.pkl");
    program = &entry;
  }
  if (!program) {
    const bool is_npz = !entries.empty() && entries.front().name.ends_with(".npy");
    throw source.error("a zip archive without data.pkl: not a PyTorch checkpoint",
                       is_npz ? " but arrays of NumPy's (.npz): save the weights as safetensors"
                              : " (a zip of one? unpack it first)");
  }
  const std::string folder =
      program->name.substr(0, program->name.size() - std::string_view("data.pkl").size());
  if (by_name.contains(folder + "constants.pkl"))
    throw source.error("a TorchScript archive: save the state_dict of the model with torch.save");
  if (const auto order = by_name.find(folder + "byteorder"); order != by_name.end()) {
    const ZipEntry& entry = *order->second;
    const std::string_view text(reinterpret_cast<const char*>(entry.data),
                                std::min<std::size_t>(entry.size, 16));
    if (text != "little") throw source.error("byte order is '", text, "': expected 'little'");
  }
  const Pickle pickle = Pickle::parse(program->data, program->size, source.file);
  TorchTensors builder(source.file, size, std::move(owner));
  const std::string data = folder + "data/";
  for (const ZipEntry& entry : entries)
    if (entry.name.starts_with(data))
      builder.add_storage(entry.name.substr(data.size()), entry.data, entry.size);
  return file_from(pickle, builder, source, size, key);
}

TorchFile from_legacy(const uint8_t* bytes, std::size_t size, const Source& source,
                      const std::string& key, std::shared_ptr<const void> owner) {
  std::size_t at = 0;
  const auto next = [&] {
    Pickle pickle = Pickle::parse(bytes + at, size - at, source.file);
    at += pickle.consumed();
    return pickle;
  };
  if (const Pickle magic = next(); magic.root().text != kLegacyMagic)
    throw source.error("a bare pickle: expected a file that torch.save wrote");
  if (const Pickle protocol = next();
      !protocol.root().is(Kind::kInt) || protocol.root().integer != kLegacyProtocol)
    throw source.error("the legacy protocol is not ", kLegacyProtocol);
  const Pickle system = next();
  if (const PickleValue* little = system.root().find("little_endian"); little && !little->integer)
    throw source.error("byte order is big-endian: expected little-endian");
  const Pickle pickle = next();
  const Pickle keys = next();

  std::unordered_map<std::string, StorageId> storages;
  for (const PickleValue& value : pickle.values()) {
    if (!value.is(Kind::kPersistent)) continue;
    const StorageId id = storage_id(value, source.file);
    const StorageId& first = storages.emplace(id.key, id).first->second;
    if (first.element_size != id.element_size || first.elements != id.elements)
      throw source.error("storage '", id.key, "' is described in two ways");
  }
  TorchTensors builder(source.file, size, std::move(owner));
  if (!keys.root().is(Kind::kList)) throw source.error("the list of storages is missing");
  for (const PickleValue* name : keys.root().items) {
    const auto found =
        storages.find(name->is(Kind::kInt) ? std::to_string(name->integer) : name->text);
    if (found == storages.end())
      throw source.error("storage '", name->text, "' is listed but never used");
    uint64_t elements, length;
    if (size - at < sizeof elements) throw source.error("the storages are cut short");
    std::memcpy(&elements, bytes + at, sizeof elements);
    at += sizeof elements;
    const bool overflows = __builtin_mul_overflow(elements, found->second.element_size, &length);
    if (overflows || length > size - at)
      throw source.error("storage '", found->first, "' of ", elements, " elements is cut short");
    builder.add_storage(found->first, bytes + at, length);
    at += length;
  }
  return file_from(pickle, builder, source, size, key);
}

}  // namespace

bool looks_like_torch(const uint8_t* bytes, std::size_t size) {
  const bool is_pickle =
      size > 2 && bytes[0] == 0x80 && bytes[1] >= 2 && bytes[1] <= 5 && bytes[2] != 0;
  return is_pickle || looks_like_zip(bytes, size);
}

TorchFile parse_torch(const uint8_t* bytes, std::size_t size, const std::string& file,
                      const std::string& state_dict, std::shared_ptr<const void> owner,
                      bool check_crc) {
  const Source source{file};
  if (looks_like_zip(bytes, size))
    return from_zip(bytes, size, source, state_dict, std::move(owner), check_crc);
  if (looks_like_torch(bytes, size))
    return from_legacy(bytes, size, source, state_dict, std::move(owner));
  throw source.error("neither a zip archive nor a legacy stream of torch.save (", size, " bytes)");
}

TorchFile read_torch(const std::string& path, const std::string& state_dict) {
  const MappedFile file = map_file(path);
  return parse_torch(file.data, file.size, path, state_dict, file.owner);
}

}  // namespace shiftadd
