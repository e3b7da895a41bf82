// Attention on a GPU: what its kernels get, and how their work is cut for a device.
//
// A kernel is compiled for rows of up to 32, 64 and 128 numbers: int8_attention_64, and so on. All
// read float32 rows where the product before left them, and write float32 rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/kernels/attention.h"
#include "cuda/simt/kernel.h"

namespace shiftadd::cuda {

enum class AttentionKernel : uint8_t {
  kInt8,     // Int8AttentionArgs (core/kernels/int8.h), its bits
  kLinear,   // LinearAngularArgs with sign codes and int8 values: the bits of dot_attention
  kWindow,   // WindowAttentionArgs with bipolar2 codes and int8 values: those of
             // dot_window_attention
  kSoftmax,  // AttentionArgs (no codes) or SoftmaxAddArgs in floats, sums in an order of its own
  kAngular,  // LinearAngularArgs with sign codes or none, sums in an order of its own
  kBf16      // AttentionArgs, with operands rounded to bf16
};

/// How the work is cut: made by plan_attention.
struct AttentionCut {
  int32_t queries = 0;    // of a block: a multiple of `tile`
  int32_t tile = 0;       // queries at once
  int32_t keys = 0;       // keys at once: a multiple of 32
  bool resident = false;  // kInt8: all keys and values stay; kLinear, kWindow: values stay as rows
};

/// What every kernel of attention gets; each reads what concerns it.
struct AttendArgs {
  AttentionShape shape = {};
  Codes codes = Codes::kNone;
  ValueFormat value = ValueFormat::kFloat;
  float factor = 1;                     // score_factor or angular_factor
  const float* temperature = nullptr;   // (heads), or null: 1
  LocalShape local;                     // kLinear, kAngular
  const float* local_weight = nullptr;  // (heads, kernel_h, kernel_w), or null
  PatchGrid grid;                       // kWindow
  const float *q = nullptr, *k = nullptr, *v = nullptr;
  float* out = nullptr;
  AttentionCut cut;
};

/// What turns a product of whole codes, or of rows of floats, into a score, temperature aside;
/// scale as score_scale gives it.
inline float score_factor(Codes codes, double scale) {
  return static_cast<float>(codes == Codes::kBipolar2 ? scale / kBipolarSquare : scale);
}
/// What multiplies q (k^T v), of signs or of rows divided by their norms.
inline float angular_factor(Codes codes, int64_t code_dim) {
  constexpr double pi = 3.14159265358979323846;
  return static_cast<float>(codes == Codes::kSign ? 1 / (pi * static_cast<double>(code_dim))
                                                  : 1 / pi);
}

/// Of a device.
struct AttentionLimits {
  std::size_t shared_bytes;  // most that a block may ask for
  int32_t processors;
};

/// Why the kernel does not take this, as the end of a sentence; empty where it does. Reads no
/// pointers but whether local_weight is null.
std::string missing_attention(AttentionKernel kernel, const AttendArgs& args,
                              const AttentionLimits& limits);

/// How to launch a kernel.
struct AttentionPlan {
  const char* kernel;  // its name
  AttentionCut cut;    // for the args
  simt::Shape shape;
};
/// Throws where missing_attention gives a reason.
AttentionPlan plan_attention(AttentionKernel kernel, const AttendArgs& args,
                             const AttentionLimits& limits);

SIMT_DECLARE_KERNEL(int8_attention_32);
SIMT_DECLARE_KERNEL(int8_attention_64);
SIMT_DECLARE_KERNEL(int8_attention_128);
SIMT_DECLARE_KERNEL(linear_attention_32);
SIMT_DECLARE_KERNEL(linear_attention_64);
SIMT_DECLARE_KERNEL(linear_attention_128);
SIMT_DECLARE_KERNEL(window_attention_32);
SIMT_DECLARE_KERNEL(window_attention_64);
SIMT_DECLARE_KERNEL(window_attention_128);
SIMT_DECLARE_KERNEL(softmax_attention_32);
SIMT_DECLARE_KERNEL(softmax_attention_64);
SIMT_DECLARE_KERNEL(softmax_attention_128);
SIMT_DECLARE_KERNEL(angular_attention_32);
SIMT_DECLARE_KERNEL(angular_attention_64);
SIMT_DECLARE_KERNEL(angular_attention_128);
SIMT_DECLARE_KERNEL(bf16_attention_32);
SIMT_DECLARE_KERNEL(bf16_attention_64);
SIMT_DECLARE_KERNEL(bf16_attention_128);

}  // namespace shiftadd::cuda
