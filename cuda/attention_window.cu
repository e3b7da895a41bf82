// Linear attention with a window, on codes of two bits and int8 values: the kernel
// window_attention, whose bits are those of the CPU's dot_window_attention
// (core/cpu/simd/window_attention.h).
//
// A block sums k^T v of its head over all keys and packs their codes, two bits each; then it
// answers its queries, a tile at a time. A window has at most 32 keys: a lane of a warp each.
#include "cuda/attention_linear.h"

namespace shiftadd::cuda {
namespace {

template <int kWidth>
struct WindowHead : LinearHead<kWidth> {
  using Linear = LinearHead<kWidth>;
  using Linear::args;
  using Linear::head;
  using Linear::kSteps;
  using Linear::layout;
  static constexpr int kWords = 2 * kSteps;  // of a row of codes: signs, then low bits

  /// Codes of a row: all lanes have them.
  struct Bits {
    uint32_t word[kWords];
  };

  const float factor;  // of a product of codes
  const int prefix, grid_h, grid_w;

  __device__ __forceinline__ WindowHead(const AttendArgs& given, unsigned char* memory)
      : Linear(given, memory, true),
        factor(head_factor(given, head.head)),
        prefix(static_cast<int>(given.grid.first)),
        grid_h(static_cast<int>(given.grid.grid_h)),
        grid_w(static_cast<int>(given.grid.grid_w)) {}

  __device__ __forceinline__ uint32_t* key_bits(int key) const {
    return reinterpret_cast<uint32_t*>(this->shared + layout.bits) + key * kWords;
  }

  /// A level b0 + 2 b1 has its sign bit set where b1 is -1, its low bit where b0 is.
  static __device__ __forceinline__ bool has_low_bit(int level) {
    return level == -3 || level == 1;
  }

  /// Codes of keys [first, first + count), turned and as bits.
  __device__ __forceinline__ void take_codes(int first, int count) const {
    encode_columns<kWidth>(head.k, first, count, this->bytes(layout.codes), layout.columns_line,
                           [&](int row, int column, float x) {
                             const int level = head.k.has(row, column) ? level_of(x) : 0;
                             const uint32_t signs = __ballot_sync(kAllLanes, level < 0);
                             const uint32_t low = __ballot_sync(kAllLanes, has_low_bit(level));
                             if (lane_index() == 0 && row < head.k.count) {
                               key_bits(row)[column / 32] = signs;
                               key_bits(row)[kSteps + column / 32] = low;
                             }
                             return level;
                           });
  }

  /// The sums of the turned codes, then of the turned values, over all keys so far.
  __device__ __forceinline__ void add_columns(int first, int count) const {
    int* sums = this->ints(layout.sums);
    for (int column = warp_index(); column < 2 * kWidth; column += kAttentionWarps) {
      const int8_t* bytes =
          column < kWidth ? this->bytes(layout.codes) + column * layout.columns_line
                          : this->bytes(layout.values) + (column - kWidth) * layout.columns_line;
      int sum = 0;
      for (int key = lane_index() * 4; key < count; key += 32 * 4)
        sum = __dp4a(*reinterpret_cast<const int*>(bytes + key), 0x01010101, sum);
      sum = __reduce_add_sync(kAllLanes, sum);
      if (lane_index() == 0) sums[column] = first == 0 ? sum : sums[column] + sum;
    }
  }

  /// Codes of row `row` of the tile.
  __device__ __forceinline__ Bits query_bits(int row) const {
    const int8_t* levels = this->bytes(layout.queries) + row * layout.line;
    Bits bits;
#pragma unroll
    for (int part = 0; part < kSteps; ++part) {
      const int level = levels[part * 32 + lane_index()];
      bits.word[part] = __ballot_sync(kAllLanes, level < 0);
      bits.word[kSteps + part] = __ballot_sync(kAllLanes, has_low_bit(level));
    }
    return bits;
  }

  /// The product of two rows of codes: four counts of differing bits, weighted.
  __device__ __forceinline__ int product(const Bits& query, int key) const {
    const uint32_t* other = key_bits(key);
    int total = 0;
#pragma unroll
    for (int part = 0; part < kSteps; ++part) {
      const uint32_t signs = query.word[part], low = query.word[kSteps + part];
      const uint32_t key_signs = other[part], key_low = other[kSteps + part];
      total += 4 * __popc(signs ^ key_signs) +
               2 * (__popc(signs ^ key_low) + __popc(low ^ key_signs)) + __popc(low ^ key_low);
    }
    return 9 * head.k.width - 2 * total;
  }

  /// The product of row `row` of the tile with all keys together.
  __device__ __forceinline__ int total_product(int row) const {
    const int8_t* levels = this->bytes(layout.queries) + row * layout.line;
    const int* sums = this->ints(layout.sums);
    int total = 0;
#pragma unroll
    for (int part = 0; part < kSteps; ++part)
      total += levels[part * 32 + lane_index()] * sums[part * 32 + lane_index()];
    return __reduce_add_sync(kAllLanes, total);
  }
};

/// The keys near a patch: the tokens before the patches, then the patches at most a row and a
/// column away, ascending.
struct NearKeys {
  int prefix, top, left, across, grid_w, count;

  template <int kWidth>
  __device__ __forceinline__ NearKeys(const WindowHead<kWidth>& block, int query)
      : prefix(block.prefix), grid_w(block.grid_w) {
    const int y = (query - prefix) / grid_w, x = (query - prefix) % grid_w;
    top = y > 0 ? y - 1 : 0;
    left = x > 0 ? x - 1 : 0;
    across = lesser(x + 2, grid_w) - left;
    count = prefix + (lesser(y + 2, block.grid_h) - top) * across;
  }
  __device__ __forceinline__ int key(int i) const {
    if (i < prefix) return i;
    const int place = i - prefix;
    return prefix + (top + place / across) * grid_w + left + place % across;
  }
};

/// Row `query` of the output, a patch, row `row` of the tile, by a warp.
template <int kWidth>
__device__ __forceinline__ void finish_patch(const WindowHead<kWidth>& block, int query, int row) {
  const NearKeys near(block, query);
  const auto bits = block.query_bits(row);
  const bool within = lane_index() < near.count;
  const int key = near.key(within ? lane_index() : 0);
  const int whole = within ? block.product(bits, key) : 0;
  const float product = __int2float_rn(whole), factor = block.factor;
  const float inside = __int2float_rn(__reduce_add_sync(kAllLanes, whole));
  const float total = __int2float_rn(block.total_product(row));
  const float outside = __int2float_rn(block.head.k.count - near.count);

  const float least = outside > 0 ? 0.0F : -__builtin_inff();
  const float largest = warp_max(within ? max(least, product * factor) : least);
  const float unit = exp(0.0F - largest);
  const float e = within ? exp(product * factor - largest) : 0.0F;
  float sum = sum_chains(e), mean = 0, far = 0;
  if (outside > 0) {
    mean = factor * __fdiv_rn(total - inside, outside);
    far = unit;
    sum = fma(unit, outside, sum);
  }
  // Everything as what lies outside, then the window anew: its weights less those.
  const float weight = fnma(far, fma(product, factor, 1.0F - mean), e);
  const float all = far * (1.0F - mean), beyond = far * factor;
  const float length = __fdiv_rn(block.scale, sum);
  const float* products = block.floats(block.layout.products) + row * block.layout.product_line;
  const int* value_sums = block.ints(block.layout.sums) + kWidth;
  float y[kWidth / 32];
#pragma unroll
  for (int part = 0; part < kWidth / 32; ++part) {
    const int column = part * 32 + lane_index();
    y[part] = fma(beyond, products[column], all * __int2float_rn(value_sums[column]));
  }
  for (int i = 0; i < near.count; ++i) {
    const float w = __shfl_sync(kAllLanes, weight, i);
    const int from = __shfl_sync(kAllLanes, key, i);
#pragma unroll
    for (int part = 0; part < kWidth / 32; ++part)
      y[part] = fma(w, block.value(from, part * 32 + lane_index()), y[part]);
  }
  float* out = block.head.out + query * block.head.out_stride;
#pragma unroll
  for (int part = 0; part < kWidth / 32; ++part) {
    const int column = part * 32 + lane_index();
    if (column < block.head.v.width) out[column] = y[part] * length;
  }
}

/// Row `query` of the output, a token before the patches, row `row` of the tile, by all threads:
/// softmax over the products with all keys.
template <int kWidth>
__device__ __forceinline__ void finish_prefix(const WindowHead<kWidth>& block, int query, int row) {
  const int keys = block.head.k.count, thread = static_cast<int>(threadIdx.x);
  float* weights = block.floats(block.layout.prefix);
  float* sum_of_weights = weights + keys;
  const auto bits = block.query_bits(row);
  __syncthreads();  // the weights of the row before were read
  for (int key = thread; key < keys; key += kAttentionThreads)
    weights[key] = __int2float_rn(block.product(bits, key));
  __syncthreads();
  if (warp_index() == 0) {
    float top = -__builtin_inff();
    for (int key = lane_index(); key < keys; key += 32) top = max(top, weights[key]);
    const float largest = warp_max(top);
    const float sum = sum_terms(keys, [&](int key) {
      const float e = exp((weights[key] - largest) * block.factor);
      weights[key] = e;
      return e;
    });
    if (lane_index() == 0) *sum_of_weights = sum;
  }
  __syncthreads();
  const float length = __fdiv_rn(block.scale, *sum_of_weights);
  for (int column = thread; column < block.head.v.width; column += kAttentionThreads) {
    float y = 0;
#pragma unroll 4
    for (int key = 0; key < keys; ++key) y = fma(weights[key], block.value(key, column), y);
    block.head.out[query * block.head.out_stride + column] = y * length;
  }
}

}  // namespace

template <int kWidth>
__global__ void __launch_bounds__(kAttentionThreads, linear_blocks(kWidth))
    window_attention(const AttendArgs args) {
  SIMT_DYNAMIC_SHARED(shared);
  simt::wait_for_predecessor();
  simt::release_successor();
  using Head = WindowHead<kWidth>;
  Head block(args, shared);
  const AttentionCut& cut = args.cut;
  block.find_scale();
  int32_t sums[Head::kTilesOfWarp][2][4] = {};
  const int keys = padded_to(block.head.k.count, kKeyStep);
  for (int key = 0; key < keys; key += cut.keys) {
    const int here = lesser(keys - key, cut.keys);
    block.take_codes(key, here);
    block.take_values(key, here);
    __syncthreads();
    block.add_products(sums, here);
    block.add_columns(key, here);
    __syncthreads();
  }
  block.write_digits(sums);
  const int digits = digits_for(3 * 127 * block.head.k.count);
  const int begin = static_cast<int>(blockIdx.x) * cut.queries;
  const int end = lesser(begin + cut.queries, block.head.q.count);
  for (int first = begin; first < end; first += cut.tile) {
    encode_rows<kWidth>(Codes::kBipolar2, block.head.q, first, cut.tile,
                        block.bytes(block.layout.queries), block.layout.line, nullptr);
    __syncthreads();
    block.multiply_queries(digits);
    const int count = lesser(end - first, cut.tile);
    const int patches = lesser(larger(block.prefix - first, 0), count);  // where they begin
    for (int row = 0; row < patches; ++row) finish_prefix(block, first + row, row);
    __syncthreads();
    for (int row = patches + warp_index(); row < count; row += kAttentionWarps)
      finish_patch(block, first + row, row);
    __syncthreads();
  }
}

SIMT_KERNEL_AS(window_attention_32, AttendArgs, window_attention<32>);
SIMT_KERNEL_AS(window_attention_64, AttendArgs, window_attention<64>);
SIMT_KERNEL_AS(window_attention_128, AttendArgs, window_attention<128>);

}  // namespace shiftadd::cuda
