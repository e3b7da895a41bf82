// Cuts the work of attention for a device: queries of a block, keys at once, shared memory.
#include <algorithm>
#include <array>
#include <vector>

#include "core/error.h"
#include "core/kernels/int8.h"
#include "cuda/attention.h"
#include "cuda/attention_layout.h"

namespace shiftadd::cuda {
namespace {

constexpr std::array kWidths = {32, 64, 128};
constexpr std::array<std::array<const char*, 3>, 6> kNames = {
    {{"int8_attention_32", "int8_attention_64", "int8_attention_128"},
     {"linear_attention_32", "linear_attention_64", "linear_attention_128"},
     {"window_attention_32", "window_attention_64", "window_attention_128"},
     {"softmax_attention_32", "softmax_attention_64", "softmax_attention_128"},
     {"angular_attention_32", "angular_attention_64", "angular_attention_128"},
     {"bf16_attention_32", "bf16_attention_64", "bf16_attention_128"}}};

// Keys at once where not all of them have room.
constexpr std::array kKeyChunks = {128, 64};
// Shared memory that every block takes beside what it asks for.
constexpr std::size_t kReservedBytes = 1024;
// A window's keys are a lane of a warp each.
constexpr int64_t kWidestWindow = 32;
// CUDA's limit for the second and third side of a grid.
constexpr int64_t kMostBlocks = 65535;
// Places within an image, and offsets in shared memory, are 32-bit numbers.
constexpr int64_t kMostFloats = int64_t{1} << 31, kMostKeys = 1 << 20;

struct Cut {
  AttentionCut cut;
  std::size_t bytes = 0;
};

// Index into kWidths; 3 where rows are wider.
std::size_t width_of(const AttentionShape& s) {
  const int64_t width = std::max(s.code_dim, s.head_dim);
  return static_cast<std::size_t>(
      std::find_if(kWidths.begin(), kWidths.end(), [&](int each) { return width <= each; }) -
      kWidths.begin());
}

// Its tiles are the same on every device.
bool is_in_floats(AttentionKernel kernel) {
  return kernel == AttentionKernel::kSoftmax || kernel == AttentionKernel::kAngular ||
         kernel == AttentionKernel::kBf16;
}

std::size_t bytes_of(AttentionKernel kernel, int width, int keys, const AttentionCut& cut) {
  const auto bytes = [&] {
    switch (kernel) {
      case AttentionKernel::kInt8:
        return Int8Layout(width, cut.tile, keys, cut.keys, cut.resident).bytes;
      case AttentionKernel::kLinear:
      case AttentionKernel::kWindow:
        return LinearLayout(width, cut.tile, keys, cut.keys, cut.resident,
                            kernel == AttentionKernel::kWindow)
            .bytes;
      case AttentionKernel::kBf16:
        return Bf16Layout(width).bytes;
      case AttentionKernel::kSoftmax:
      case AttentionKernel::kAngular:
        break;
    }
    return FloatLayout(width).bytes;
  };
  return static_cast<std::size_t>(bytes());
}

// The ways to cut, the quickest first: all that is read again stays, then only what must; tiles as
// high as keep every warp busy, then lower ones; many keys at once, then fewer.
std::vector<AttentionCut> ways_to_cut(AttentionKernel kernel, int width, int keys, bool rereads) {
  if (kernel == AttentionKernel::kBf16)
    return {{.queries = kBf16Queries, .tile = kTileSide, .keys = kBf16Keys}};
  if (is_in_floats(kernel))
    return {{.queries = kScoreRows, .tile = kScoreRows, .keys = kScoreKeys}};
  const int padded = padded_to(keys, kKeyStep);
  std::vector<AttentionCut> ways;
  for (const bool resident : {true, false}) {
    if (resident && !rereads) continue;
    for (int tile = whole_tile(width); tile >= kTileSide; tile /= 2)
      for (const int chunk : kKeyChunks) {
        const bool all = resident && kernel == AttentionKernel::kInt8;
        ways.push_back({.queries = tile,
                        .tile = tile,
                        .keys = all ? padded : std::min(padded, chunk),
                        .resident = resident});
      }
  }
  return ways;
}

// The first way that lets two blocks share a multiprocessor or, failing that, that has room at all;
// 0 bytes where none has.
Cut fitting_cut(AttentionKernel kernel, int width, const AttendArgs& args,
                const AttentionLimits& limits) {
  const auto keys = static_cast<int>(args.shape.keys);
  const bool rereads = kernel != AttentionKernel::kLinear || args.local_weight;
  for (const std::size_t room : {(limits.shared_bytes - kReservedBytes) / 2, limits.shared_bytes})
    for (const AttentionCut& cut : ways_to_cut(kernel, width, keys, rereads)) {
      const std::size_t bytes = bytes_of(kernel, width, keys, cut);
      if (bytes <= room) return {cut, bytes};
    }
  return {};
}

// A block repeats what all queries of a head share: it gets as many tiles of them as leave two
// blocks for each multiprocessor.
int queries_of_block(const AttentionShape& s, int tile, const AttentionLimits& limits) {
  const auto tiles = static_cast<int>((s.queries + tile - 1) / tile);
  const int64_t heads = s.batch * s.heads, wanted = 2 * static_cast<int64_t>(limits.processors);
  const auto cuts = static_cast<int>(std::clamp<int64_t>((wanted + heads - 1) / heads, 1, tiles));
  return (tiles + cuts - 1) / cuts * tile;
}

// Why no kernel of this kind has it, whatever the device.
std::string missing_kind(AttentionKernel kernel, const AttendArgs& args) {
  switch (kernel) {
    case AttentionKernel::kInt8:
      if (args.shape.keys > kMostInt8Keys)
        return concat("int8 softmax attention takes up to ", kMostInt8Keys, " keys, not ",
                      args.shape.keys);
      break;
    case AttentionKernel::kLinear:
      if (args.codes != Codes::kSign || args.value != ValueFormat::kInt8)
        return "linear attention in integers takes sign codes and int8 values only";
      break;
    case AttentionKernel::kWindow:
      if (args.codes != Codes::kBipolar2 || args.value != ValueFormat::kInt8)
        return "linear attention with a window takes bipolar2 codes and int8 values only";
      if (args.grid.widest_window() > kWidestWindow)
        return concat("windows take up to ", kWidestWindow, " keys, not ",
                      args.grid.widest_window());
      break;
    case AttentionKernel::kAngular:
      if (args.codes == Codes::kBipolar2)
        return "linear attention without a window takes sign codes or none";
      break;
    case AttentionKernel::kBf16:
      if (args.codes != Codes::kNone) return "bf16 attention takes no codes";
      break;
    case AttentionKernel::kSoftmax:
      break;
  }
  if (is_unit(args.codes)) return "unit codes have no kernel";
  return "";
}

// Whether places within an image fit 32 bits.
bool is_small(const AttentionShape& s) {
  return s.keys <= kMostKeys && s.queries * std::max(s.q_row, s.o_row) < kMostFloats &&
         s.keys * std::max(s.k_row, s.v_row) < kMostFloats;
}

}  // namespace

std::string missing_attention(AttentionKernel kernel, const AttendArgs& args,
                              const AttentionLimits& limits) {
  const AttentionShape& s = args.shape;
  if (const std::string reason = missing_kind(kernel, args); !reason.empty()) return reason;
  const std::size_t width = width_of(s);
  if (width == kWidths.size())
    return concat("a head has rows of up to ", kWidths.back(), " numbers, not ",
                  std::max(s.code_dim, s.head_dim));
  if (s.batch > kMostBlocks || s.heads > kMostBlocks || !is_small(s))
    return concat(s.batch, " images of ", s.queries, " x ", s.keys,
                  " tokens are too many for one launch");
  if (!fitting_cut(kernel, kWidths[width], args, limits).bytes)
    return concat(s.keys, " keys do not fit the ", limits.shared_bytes,
                  " bytes of shared memory that a block has");
  return "";
}

AttentionPlan plan_attention(AttentionKernel kernel, const AttendArgs& args,
                             const AttentionLimits& limits) {
  if (const std::string reason = missing_attention(kernel, args, limits); !reason.empty())
    throw user_error("attention on the GPU: ", reason, "; run this model on the CPU");
  const AttentionShape& s = args.shape;
  const std::size_t width = width_of(s);
  Cut fitting = fitting_cut(kernel, kWidths[width], args, limits);
  AttentionCut& cut = fitting.cut;
  if (!is_in_floats(kernel)) cut.queries = queries_of_block(s, cut.tile, limits);
  return {.kernel = kNames[static_cast<std::size_t>(kernel)][width],
          .cut = cut,
          .shape = {.grid_x = static_cast<unsigned>((s.queries + cut.queries - 1) / cut.queries),
                    .grid_y = static_cast<unsigned>(s.heads),
                    .grid_z = static_cast<unsigned>(s.batch),
                    .block_x = kAttentionThreads,
                    .shared_bytes = fitting.bytes,
                    .overlaps = true}};
}

}  // namespace shiftadd::cuda
