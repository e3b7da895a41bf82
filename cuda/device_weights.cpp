// Lays out each weight on the host, one behind the other, and copies them to the device at once.
#include "cuda/device_weights.h"

#include <cmath>
#include <cstring>
#include <map>
#include <utility>

#include "core/shift.h"
#include "cuda/fragments.h"
#include "model/stored_weights.h"

namespace shiftadd::cuda {
namespace {

// Bytes on their way to the device. Until they are there, a pointer is a distance from their first.
class Upload {
 public:
  template <class T>
  const T* add(const T* values, std::size_t count) {
    constexpr std::size_t kAligned = 256;
    bytes_.resize((bytes_.size() + kAligned - 1) / kAligned * kAligned);
    const std::size_t at = bytes_.size();
    bytes_.resize(at + count * sizeof(T));
    if (count) std::memcpy(bytes_.data() + at, values, count * sizeof(T));
    // One more, so that a null pointer still says that there is nothing.
    return reinterpret_cast<const T*>(at + 1);
  }
  const float* add(const Tensor& values) {
    return add(values.data<float>(), static_cast<std::size_t>(values.numel()));
  }
  Device::Memory send(Device& device) {
    Device::Memory memory = device.allocate(bytes_.size());
    device.copy_in(memory.get(), bytes_.data(), bytes_.size());
    device.synchronise();
    begin_ = memory.as<char>();
    return memory;
  }
  // After send().
  template <class T>
  void resolve(const T*& pointer) const {
    if (pointer)
      pointer = reinterpret_cast<const T*>(begin_ + reinterpret_cast<std::uintptr_t>(pointer) - 1);
  }
  void resolve(const void*& pointer) const {
    const char* at = static_cast<const char*>(pointer);
    resolve(at);
    pointer = at;
  }

 private:
  std::vector<char> bytes_;
  char* begin_ = nullptr;
};

// A layer is stored as nibbles and exponents, int8 and scales, or floats of any kind.
WeightAt lay_out(const Matrix& matrix, const StoredWeights& stored, Upload& upload) {
  WeightAt weight = {.outputs = static_cast<int32_t>(matrix.out),
                     .inputs = static_cast<int32_t>(matrix.in)};
  if (const Tensor bias = stored.rows(matrix, ".bias"); bias.defined())
    weight.bias = upload.add(bias);
  const Tensor nibbles = stored.rows(matrix, ".codes"), scales = stored.rows(matrix, ".scales");
  std::vector<uint32_t> words;
  if (nibbles.defined()) {
    weight.kind = WeightKind::kNibbles;
    words = nibble_fragments(nibbles.data<uint8_t>(), matrix.out, matrix.in);
    const Tensor exponents = stored.rows(matrix, ".exponents");
    std::vector<float> powers;
    for (const int16_t exponent : exponents.span<int16_t>())
      powers.push_back(std::ldexp(1.0F, exponent - kShiftRange));
    weight.row_scales = upload.add(powers.data(), powers.size());
  } else if (scales.defined()) {
    weight.kind = WeightKind::kInt8;
    words = int8_fragments(stored.rows(matrix, ".weight").data<int8_t>(), matrix.out, matrix.in);
    weight.row_scales = upload.add(scales);
  } else {
    const Tensor floats = stored.rows(matrix, ".weight").to(DType::kF32);
    if (matrix.arithmetic == Arithmetic::kBf16) {
      weight.kind = WeightKind::kBf16;
      words = bf16_fragments(floats.data<float>(), matrix.out, matrix.in);
    } else {
      weight.data = upload.add(floats);
    }
  }
  if (!words.empty()) weight.data = upload.add(words.data(), words.size());
  return weight;
}

}  // namespace

DeviceWeights::DeviceWeights(Device& device, const Network& network, const PackSpec& pack,
                             const Plan& plan, NamedTensors tensors,
                             const std::vector<TableId>& joined) {
  StoredWeights stored(network, pack, std::move(tensors));
  Upload upload;
  for (const Table& table : plan.tables) tables_.push_back(upload.add(stored.values(table)));
  std::vector<float> behind;
  for (const TableId id : joined) {
    const Tensor values = stored.values(plan.tables[static_cast<std::size_t>(id)]);
    const auto span = values.span<float>();
    behind.insert(behind.end(), span.begin(), span.end());
  }
  if (!behind.empty()) joined_ = upload.add(behind.data(), behind.size());
  for (const NormSpec& norm : plan.norms)
    norms_.push_back({upload.add(stored.get(norm.name + ".weight")),
                      upload.add(stored.get(norm.name + ".bias")), norm.eps});
  std::map<std::string, int> uses;  // of a layer: a split one's rows lie in several matrices
  for (const Matrix& matrix : plan.matrices) ++uses[matrix.layer];
  for (const Matrix& matrix : plan.matrices) {
    matrices_.push_back(lay_out(matrix, stored, upload));
    if (--uses[matrix.layer] == 0) stored.release(matrix.layer);
  }
  memory_ = upload.send(device);
  for (const float*& table : tables_) upload.resolve(table);
  upload.resolve(joined_);
  for (NormAt& norm : norms_) {
    upload.resolve(norm.gamma);
    upload.resolve(norm.beta);
  }
  for (WeightAt& weight : matrices_) {
    upload.resolve(weight.data);
    upload.resolve(weight.row_scales);
    upload.resolve(weight.bias);
  }
}

}  // namespace shiftadd::cuda
