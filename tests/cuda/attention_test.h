// One way to test the kernels of attention: an operation on random rows, on a GPU or the host
// executor, and on the CPU.
#pragma once

#include <span>
#include <string_view>

#include "cuda/attention.h"
#include "cuda/simt/device_heap.h"
#include "cuda/simt/executor.h"
#include "tests/cuda/executor.h"
#include "tests/ops/kernels_test.h"

namespace shiftadd::test {

/// Numbers in the memory of the GPU, or of the executor without the layer of a device around it:
/// every launch has new ones, and would wait for that layer to close and open its memory.
class DeviceNumbers {
 public:
  explicit DeviceNumbers(const Numbers& values) : count_(values.size()) {
    if (on_gpu()) {
      gpu_ = DeviceArray<float>(values);
      return;
    }
    at_ = simt::device_allocate(count_ * sizeof(float));
    simt::copy_to_device(at_, values.data(), count_ * sizeof(float));
  }
  ~DeviceNumbers() { simt::device_release(at_); }
  DeviceNumbers(const DeviceNumbers&) = delete;
  DeviceNumbers& operator=(const DeviceNumbers&) = delete;

  float* data() const { return on_gpu() ? gpu_.get() : static_cast<float*>(at_); }
  Numbers read() const {
    if (on_gpu()) return gpu_.read();
    Numbers values(count_);
    simt::copy_from_device(values.data(), at_, count_ * sizeof(float));
    return values;
  }

 private:
  std::size_t count_;
  void* at_ = nullptr;
  DeviceArray<float> gpu_;
};

inline const simt::Kernel& kernel_named(std::string_view name) {
  for (const auto kernel : {cuda::int8_attention_32_kernel, cuda::int8_attention_64_kernel,
                            cuda::int8_attention_128_kernel, cuda::linear_attention_32_kernel,
                            cuda::linear_attention_64_kernel, cuda::linear_attention_128_kernel,
                            cuda::window_attention_32_kernel, cuda::window_attention_64_kernel,
                            cuda::window_attention_128_kernel, cuda::softmax_attention_32_kernel,
                            cuda::softmax_attention_64_kernel, cuda::softmax_attention_128_kernel,
                            cuda::angular_attention_32_kernel, cuda::angular_attention_64_kernel,
                            cuda::angular_attention_128_kernel})
    if (kernel().name == name) return kernel();
  throw failure("no kernel is named ", std::string(name));
}

/// Done when it returns.
inline void launch_attention(const cuda::AttentionPlan& plan, const cuda::AttendArgs& args) {
  const simt::Kernel& kernel = kernel_named(plan.kernel);
  if (!on_gpu()) {
    simt::run(kernel, plan.shape, &args);
    for (const std::string& fault : simt::take_reports()) FAIL_CHECK(fault);
    return;
  }
  for (uint32_t number = 0; number < cuda::kKernels; ++number)
    if (cuda::kKernelNames[number] == std::string_view(kernel.name))
      launch(cuda::KernelOf<cuda::AttendArgs>{number}, plan.shape, args);
}

struct AttentionSizes {
  int64_t heads, queries, keys, code_dim, head_dim;

  int64_t batch() const { return keys < 64 ? 2 : 1; }
  std::string name() const {
    return concat(heads, " heads, ", queries, " x ", keys, " tokens, rows of ", code_dim, " and ",
                  head_dim);
  }
  /// Many queries that meet many keys take the most time.
  bool is_large() const { return queries * keys > (is_slow() ? 17 * 17 : 65 * 197); }
  /// Whether to test this one of a kernel's variants (codes, filters). Of large sizes it is a third
  /// of them, another one for each width of rows, and beyond 197 tokens (where it is slow: 65) one
  /// alone.
  bool has(std::size_t variant, std::size_t variants) const {
    const auto turn = static_cast<std::size_t>(keys + (head_dim + 1) / 64);
    return !is_large() || variant == turn % variants ||
           (keys <= (is_slow() ? 65 : 197) && variant % 3 == turn % 3);
  }
};

inline constexpr AttentionSizes kMoreSizes[] = {
    {2, 31, 31, 16, 32},   {3, 33, 33, 64, 64},  {2, 33, 33, 48, 64},
    {1, 65, 65, 17, 5},    {2, 20, 65, 80, 128}, {3, 1, 197, 64, 64},
    {1, 197, 197, 64, 64}, {1, 40, 257, 32, 32}, {1, 50, 577, 64, 64}};

/// Every number of tokens for each width that the kernels are compiled for, odd ones and whole;
/// more heads, fewer queries than keys; and what a kernel wants besides.
inline std::vector<AttentionSizes> attention_sizes(
    std::initializer_list<AttentionSizes> more = {}) {
  std::vector<AttentionSizes> all = more;
  for (const int64_t tokens : token_counts(16)) {  // a kernel's lowest tile
    const int64_t heads = tokens < 64 ? 2 : 1;
    for (const int64_t width : {32, 64, 128})
      all.push_back({heads, tokens, tokens, width / 2 + 1, width - 1});
  }
  for (const int64_t tokens : {1, 33, 63, 65})  // around its highest tile
    for (const int64_t width : {32, 64, 128}) all.push_back({1, tokens, tokens, width, width});
  for (const AttentionSizes& size : kMoreSizes) all.push_back(size);
  return all;
}

/// Rows of q, k and v of `batch` images: as one product writes them (fused), or q of its own.
struct AttentionRows {
  AttentionShape shape;
  Numbers rows, queries;  // queries: empty where fused

  AttentionRows(int64_t batch, int64_t heads, int64_t asked, int64_t keys, int64_t code_dim,
                int64_t head_dim) {
    const int64_t codes = heads * code_dim, values = heads * head_dim;
    const bool fused = asked <= keys;
    const int64_t row = (fused ? 2 : 1) * codes + values, k = fused ? codes : 0;
    rows = normals(batch * keys * row, 1);
    if (!fused) queries = normals(batch * asked * codes, 2);
    v_at_ = k + codes;
    k_at_ = k;
    const int64_t q_row = fused ? row : codes, q_batch = (fused ? keys : asked) * q_row;
    shape = {batch,      heads, asked,    keys,           code_dim, head_dim,
             q_batch,    q_row, code_dim, keys * row,     row,      code_dim,
             keys * row, row,   head_dim, asked * values, values,   head_dim};
  }
  const float* q() const { return queries.empty() ? rows.data() : queries.data(); }
  const float* k() const { return rows.data() + k_at_; }
  const float* v() const { return rows.data() + v_at_; }
  std::size_t outputs() const {
    return static_cast<std::size_t>(shape.batch * shape.queries * shape.heads * shape.head_dim);
  }

  /// What the kernel writes, planned for a device, or for the GPU that there is if that has less.
  Numbers run(cuda::AttentionKernel kernel, cuda::AttendArgs args, cuda::AttentionLimits limits,
              std::span<const float> temperature = {}, std::span<const float> filter = {}) const {
    const DeviceNumbers device_rows(rows), own(queries.empty() ? Numbers(1) : queries),
        out(Numbers(outputs(), -7.0F));
    const Numbers none(1);
    const DeviceNumbers of_heads(
        temperature.empty() ? none : Numbers(temperature.begin(), temperature.end()));
    const DeviceNumbers taps(filter.empty() ? none : Numbers(filter.begin(), filter.end()));
    args.shape = shape;
    args.q = queries.empty() ? device_rows.data() : own.data();
    args.k = device_rows.data() + k_at_;
    args.v = device_rows.data() + v_at_;
    args.out = out.data();
    if (!temperature.empty()) args.temperature = of_heads.data();
    if (!filter.empty()) args.local_weight = taps.data();
    if (on_gpu())
      limits.shared_bytes =
          std::min(limits.shared_bytes,
                   static_cast<std::size_t>(device().description().shared_bytes_per_block));
    const cuda::AttentionPlan plan = cuda::plan_attention(kernel, args, limits);
    args.cut = plan.cut;
    launch_attention(plan, args);
    return out.read();
  }

 private:
  int64_t k_at_ = 0, v_at_ = 0;
};

/// Of linear-angular attention, over its values.
struct Filter {
  LocalShape shape;
  Numbers weight;
};

/// None, along the tokens, and on a grid behind a first token.
inline std::vector<Filter> filters(int64_t heads, int64_t tokens) {
  std::vector<Filter> out = {{}, {{1, 5, 1, tokens, 0}, normals(heads * 5, 3)}};
  if (tokens > 1)
    out.push_back({{3, 3, 2, (tokens - 1) / 2, tokens % 2 ? 1 : 2}, normals(heads * 9, 4)});
  return out;
}

/// Shared memory of a block of the devices that the kernels are compiled for.
inline constexpr std::size_t kSharedBytes[] = {99 << 10, 163 << 10, 227 << 10};

/// One block a head, or as many as there are tiles.
inline constexpr int32_t kProcessors[] = {1, 132};

/// Checks that a kernel writes `expected`, bit for bit: on each kind of device, and on one of them
/// in every order; few tokens on each of them in every order. Large sizes run on that one alone,
/// where it is slow on the smallest device, too.
template <class Run>
void check_bits(const Numbers& expected, const AttentionSizes& size, Run run) {
  for (const std::size_t shared : kSharedBytes)
    for (const int32_t processors : kProcessors) {
      const auto check = [&] {
        INFO(shared, " bytes of shared memory, ", processors, " processors");
        CHECK(same_bits(run(cuda::AttentionLimits{shared, processors}), expected));
      };
      const bool is_smallest = shared == kSharedBytes[0] && processors == 1;
      if ((size.keys <= 33 && !is_slow()) || (shared == kSharedBytes[1] && processors > 1))
        in_each_order(size.keys, check);
      else if (!size.is_large() || (is_slow() && is_smallest))
        check();
    }
}

}  // namespace shiftadd::test
