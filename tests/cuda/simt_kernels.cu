// Kernels that use each part of the vocabulary once.
#include "cuda/simt/simt.h"
#include "tests/cuda/simt_kernels.h"

namespace shiftadd::cuda {
namespace {

constexpr unsigned kAll = 0xffffffff;

__device__ __forceinline__ unsigned thread_of_grid() {
  return blockIdx.x * blockDim.x + threadIdx.x;
}

// Where result `number` of this thread goes.
template <class T>
__device__ __forceinline__ T& result(T* out, int number) {
  return out[static_cast<unsigned>(number) * gridDim.x * blockDim.x + thread_of_grid()];
}

}  // namespace

__global__ void shuffles(const IntegerArgs args) {
  const int a = args.a[thread_of_grid()], b = args.b[thread_of_grid()];
  result(args.out, 0) = __shfl_sync(kAll, a, b);
  result(args.out, 1) = __shfl_xor_sync(kAll, a, 16);
  result(args.out, 2) = __shfl_xor_sync(kAll, a, 5);
  result(args.out, 3) = __shfl_down_sync(kAll, a, 3);
  result(args.out, 4) = __shfl_up_sync(kAll, a, 7);
  result(args.out, 5) = __shfl_sync(kAll, a, b, 8);
  result(args.out, 6) = __shfl_down_sync(kAll, a, 3, 8);
  result(args.out, 7) = __float_as_int(__shfl_xor_sync(kAll, __int_as_float(a), 1));
}
SIMT_KERNEL(shuffles, IntegerArgs);

__global__ void votes(const IntegerArgs args) {
  const int a = args.a[thread_of_grid()];
  result(args.out, 0) = static_cast<int>(__ballot_sync(kAll, a & 1));
  result(args.out, 1) = __any_sync(kAll, a & 2);
  result(args.out, 2) = __all_sync(kAll, a & 4);
  result(args.out, 3) = __reduce_add_sync(kAll, a);
  result(args.out, 4) = __reduce_max_sync(kAll, a);
  result(args.out, 5) = static_cast<int>(__reduce_add_sync(kAll, static_cast<unsigned>(a)));
  result(args.out, 6) = static_cast<int>(__reduce_max_sync(kAll, static_cast<unsigned>(a)));
}
SIMT_KERNEL(votes, IntegerArgs);

__global__ void integer_math(const IntegerArgs args) {
  const int a = args.a[thread_of_grid()], b = args.b[thread_of_grid()];
  const auto bits = static_cast<unsigned>(a);
  result(args.out, 0) = __popc(bits);
  result(args.out, 1) = __popcll(static_cast<unsigned long long>(bits) << 32 | bits);
  result(args.out, 2) = __clz(a);
  result(args.out, 3) = __ffs(a);
  result(args.out, 4) = __dp4a(a, b, 7);
  result(args.out, 5) = static_cast<int>(__dp4a(bits, static_cast<unsigned>(b), 7U));
  result(args.out, 6) = __float_as_int(__int2float_rn(a));
  result(args.out, 7) = __float2int_rn(__int_as_float(a));
  result(args.out, 8) = __float2int_rn(static_cast<float>(a) * 0.5f);
  const int2 pair = {a, b};
  result(args.out, 9) = pair.x ^ pair.y;
}
SIMT_KERNEL(integer_math, IntegerArgs);

__global__ void float_math(const FloatArgs args) {
  const unsigned i = thread_of_grid();
  const float a = args.a[i], b = args.b[i], c = __ldg(args.c + i);
  result(args.out, 0) = __fadd_rn(a, b);
  result(args.out, 1) = __fmul_rn(a, b);
  result(args.out, 2) = __fdiv_rn(a, b);
  result(args.out, 3) = __fsqrt_rn(fabsf(a));
  result(args.out, 4) = __fmaf_rn(a, b, c);
  result(args.out, 5) = rintf(a);
  const float4 quad = *reinterpret_cast<const float4*>(args.a + i / 4 * 4);
  result(args.out, 6) = quad.x + quad.y + quad.z + quad.w;
  const float2 pair = *reinterpret_cast<const float2*>(args.b + i / 2 * 2);
  result(args.out, 7) = pair.x - pair.y;
  result(args.out, 8) = a * b + c;
}
SIMT_KERNEL(float_math, FloatArgs);

__global__ void atomics(const AtomicArgs args) {
  const int value = args.in[thread_of_grid()];
  atomicAdd(args.sum, value);
  atomicAdd(args.unsigned_sum, static_cast<unsigned>(value));
  atomicAdd(args.float_sum, static_cast<float>(value));
  atomicMax(args.maximum, value);
}
SIMT_KERNEL(atomics, AtomicArgs);

__global__ void positions(const PositionArgs args) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const unsigned threads = blockDim.x * blockDim.y * blockDim.z;
  unsigned* out = args.out + (block * threads + thread) * 12;
  const unsigned all[] = {threadIdx.x, threadIdx.y, threadIdx.z, blockIdx.x, blockIdx.y, blockIdx.z,
                          blockDim.x,  blockDim.y,  blockDim.z,  gridDim.x,  gridDim.y,  gridDim.z};
  for (int i = 0; i < 12; ++i) out[i] = all[i];
}
SIMT_KERNEL(positions, PositionArgs);

__global__ void reverse_blocks(const SharedArgs args) {
  SIMT_SHARED(int, once, [kSharedThreads / 32][32]);
  SIMT_DYNAMIC_SHARED(bytes);
  int* twice = reinterpret_cast<int*>(bytes);
  const unsigned i = threadIdx.x, last = kSharedThreads - 1;
  const unsigned begin = blockIdx.x * kSharedThreads;
  once[i / 32][i % 32] = args.in[begin + i];
  __syncthreads();
  twice[i] = once[(last - i) / 32][(last - i) % 32];
  __syncthreads();
  args.out[begin + last - i] = twice[last - i];
}
SIMT_KERNEL(reverse_blocks, SharedArgs);

__global__ void copies(const CopyArgs args) {
  SIMT_SHARED(unsigned, first, [32][4]);
  SIMT_SHARED(unsigned, second, [32][4]);
  const unsigned i = threadIdx.x;
  simt::cp_async16(first[i], args.in + i * 4, args.valid[i]);
  simt::cp_async_commit();
  simt::cp_async16(second[i], args.in + i * 4);
  simt::cp_async_commit();
  simt::cp_async_wait<1>();
  __syncthreads();
  for (unsigned k = 0; k < 4; ++k) args.out[i * 4 + k] = first[31 - i][k];
  simt::cp_async_wait<0>();
  __syncthreads();
  for (unsigned k = 0; k < 4; ++k) args.out[128 + i * 4 + k] = second[31 - i][k];
}
SIMT_KERNEL(copies, CopyArgs);

__global__ void load_matrices(const MatrixArgs args) {
  SIMT_SHARED(unsigned, rows, [32][4]);
  const unsigned lane = threadIdx.x;
  for (unsigned k = 0; k < 4; ++k) rows[lane][k] = args.rows[lane * 4 + k];
  __syncthreads();
  uint32_t r[4];
  simt::ldmatrix_x4(r, rows[lane]);
  for (unsigned k = 0; k < 4; ++k) args.out[k * 32 + lane] = r[k];
  simt::ldmatrix_x4_trans(r, rows[lane]);
  for (unsigned k = 0; k < 4; ++k) args.out[(4 + k) * 32 + lane] = r[k];
}
SIMT_KERNEL(load_matrices, MatrixArgs);

namespace {

// The fragments of a lane, multiplied by the function.
template <class Element, class Function>
__device__ __forceinline__ void multiply(const ProductArgs& args, Function function) {
  uint32_t a[4], b[2];
  Element d[4];
  Element* sums = static_cast<Element*>(args.d) + threadIdx.x;
  for (int r = 0; r < 4; ++r) a[r] = args.a[r * 32 + threadIdx.x];
  for (int r = 0; r < 2; ++r) b[r] = args.b[r * 32 + threadIdx.x];
  for (int r = 0; r < 4; ++r) d[r] = sums[r * 32];
  function(d, a, b);
  for (int r = 0; r < 4; ++r) sums[r * 32] = d[r];
}

}  // namespace

__global__ void product_s8(const ProductArgs args) {
  multiply<int32_t>(args, [](int32_t(&d)[4], const uint32_t(&a)[4], const uint32_t(&b)[2]) {
    simt::mma_s8(d, a, b);
  });
}
SIMT_KERNEL(product_s8, ProductArgs);

__global__ void product_bf16(const ProductArgs args) {
  multiply<float>(args, [](float(&d)[4], const uint32_t(&a)[4], const uint32_t(&b)[2]) {
    simt::mma_bf16(d, a, b);
  });
}
SIMT_KERNEL(product_bf16, ProductArgs);

__global__ void choose_bytes(const BytesArgs args) {
  const unsigned i = thread_of_grid();
  args.out[i] = simt::prmt(args.a[i], args.b[i], args.selector[i]);
}
SIMT_KERNEL(choose_bytes, BytesArgs);

__global__ void round_pairs(const RoundArgs args) {
  const unsigned i = thread_of_grid();
  args.out[i] = simt::bf16x2(args.in[2 * i], args.in[2 * i + 1]);
}
SIMT_KERNEL(round_pairs, RoundArgs);

template <int kAdded>
__global__ void add(const SharedArgs args) {
  args.out[thread_of_grid()] = args.in[thread_of_grid()] + kAdded;
}
SIMT_KERNEL_AS(add_one, SharedArgs, add<1>);

}  // namespace shiftadd::cuda
