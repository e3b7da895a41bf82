// What a forward pass computes, on what and into what: a list of steps on named buffers. An engine
// runs it, on any device: nothing here is a pointer, a device or an instruction set.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/kernels.h"
#include "model/network.h"
#include "model/pack.h"

namespace shiftadd {

/// An index into the list of that name.
using BufferId = int;
using MatrixId = int;
using NormId = int;
using TableId = int;
inline constexpr int kNone = -1;

enum class Storage : uint8_t {
  kImages,  // what the caller gives: planes of pixels
  kLogits,  // what the caller gets
  kTable,   // the same for all images
  kValues   // made by a step, for later ones
};

/// Of one image: rows x columns float32 numbers, or as many int32 ones.
struct Buffer {
  std::string name;
  int64_t rows = 0, columns = 0;
  Storage storage = Storage::kValues;
  TableId table = kNone;  // where its storage is kTable
};

/// A parameter that is read as it is.
struct Table {
  std::string parameter;
  int64_t rows = 0, columns = 0;
  std::string plus = {};  // another, whose rows from plus_first on are added to it; "": none
  int64_t plus_first = 0;
};

/// Rows [first, first + rows) of a buffer, of each the columns [column, column + columns).
struct Rows {
  BufferId buffer = kNone;
  int64_t first = 0, rows = 0, column = 0, columns = 0;

  bool defined() const { return buffer != kNone; }
  int64_t values() const { return rows * columns; }
};

/// What the operands of a product are while they are multiplied.
enum class Arithmetic : uint8_t { kFloat32, kBf16, kInt8 };

/// Rows [first, first + out) of the weight (.., in) of a layer, and of its bias.
struct Matrix {
  std::string layer;  // as packed files name it
  int64_t first = 0, out = 0, in = 0;
  Arithmetic arithmetic = Arithmetic::kFloat32;
  bool shifts = false;       // its numbers are powers of two
  bool int8_inputs = false;  // the input is rounded to 8 bits, with a scale for each row
};

// --- operations, each on every image; rows of inputs are left as they are

/// The numbers under each place of a convolution as one row, in the order of its weight (channel,
/// y, x): in is the image, or tokens of `input`, of which each row is a place and has all channels.
struct Gather {
  ConvSpec conv;
  Grid input;
  Rows in, out;
};
/// Copies rows.
struct Take {
  Rows in, out;
};
struct Normalise {
  NormId norm;
  Rows in, out;
};
/// out = activation(in W^T + bias) + residual, which may be undefined, or be out.
struct Product {
  MatrixId matrix;
  Activation activation = Activation::kNone;
  Rows in, out, residual;
};
/// out = fc2(activation(fc1(in))) + residual, both products in integers: an engine may keep what
/// lies between them near. The residual may be undefined, or be out.
struct Mlp {
  MatrixId fc1, fc2;
  HiddenActivation activation;
  Rows in, out, residual;
};
/// A filter a channel over tokens on a grid.
struct Depthwise {
  DepthwiseSpec spec;
  BufferId weight, bias;
  Grid grid;
  Rows in, out;
};
/// out may be in where no two channels become one.
struct Activate {
  HiddenActivation kind;
  Rows in, out;
};
/// In place.
struct Tanh {
  Rows values;
};
/// out = factors in + residual, a factor a channel; the residual may be out.
struct Scale {
  BufferId factors;
  Rows in, out, residual;
};
struct Attend {
  AttentionKind kind;
  double scale;  // of q k^T, where there is a softmax
  CodeSpec codes;
  ValueFormat values;
  bool integers;  // its two products are of integers
  bool bf16;      // where they are of floats, an engine may round these to bf16
  int64_t heads, head_dim;
  LocalShape local;  // of linear attention
  BufferId filter;
  BufferId temperature;  // of scores on codes, or kNone
  PatchGrid grid;        // of linear attention with a window
  Rows q, k, v, out;

  bool has_window() const { return is_windowed(kind, codes.kind); }
  bool needs_thresholds() const { return is_unit(codes.kind); }
};
/// Which expert each row of `in` goes to: `order` (int32) has the rows of all images, those of the
/// first expert ascending, then those of the second; `gates` (two a row) the router's logits or,
/// with gate kProbability, its probabilities.
struct Route {
  MatrixId router = kNone;  // kNone: a fixed split
  GateKind gate;
  int64_t index = 0;         // of routers_of
  int64_t first_choice = 0;  // of an image's choices, where this router's begin
  Rows in;
  BufferId order = kNone, gates = kNone;
};
/// out = gate expert(in) + residual, of each row its own expert, as the Route before it says:
/// layers fc1 alone, or fc2(activation(fc1)). The residual may be undefined.
struct Experts {
  std::array<MatrixId, 2> fc1 = {kNone, kNone}, fc2 = {kNone, kNone};
  HiddenActivation activation = HiddenActivation::kGelu;
  GateKind gate;
  int64_t index = 0;  // of routers_of
  Rows in, out, residual;
  BufferId order = kNone, gates = kNone;

  bool is_mlp() const { return fc2[0] != kNone; }
};
/// The mean of each image's rows.
struct Mean {
  Rows in, out;
};

using Operation = std::variant<Gather, Take, Normalise, Product, Mlp, Depthwise, Activate, Tanh,
                               Scale, Attend, Route, Experts, Mean>;

struct Step {
  LayerId layer;     // whose work this is
  std::string name;  // within its block, if it is in one: "norm1", "qkv", "mlp.experts", ...
  Operation operation;
};

struct Plan {
  std::vector<Buffer> buffers;
  std::vector<Matrix> matrices;
  std::vector<NormSpec> norms;
  std::vector<Table> tables;
  std::vector<Step> steps;
};

/// `with_choices`: every router in an MLP decides on all tokens, also in a last block of which only
/// a few rows are read (rows_answered). Both plans have the same matrices, norms
/// and tables.
Plan plan_of(const Network& network, const PackSpec& pack, bool with_choices);

/// The buffers that a step reads and writes, tables among them.
std::vector<BufferId> buffers_of(const Step& step);

/// What a step computes and moves for one image, as an engine does that skips nothing.
struct StepWork {
  bool multiplication_free =
      false;  // adds or shifts, or (a router's experts) shifts for some tokens
  /// Terms of its sums, each a multiplication, an addition or a shift with an addition: of floats,
  /// of floats rounded to bf16, and of integers. Norms, softmax and GELU have none.
  int64_t float_terms = 0, bf16_terms = 0, integer_terms = 0;
  int64_t terms() const { return float_terms + bf16_terms + integer_terms; }
  /// Weights as they are multiplied (4, 2 or 1 bytes a number; a scale a row beside integers), and
  /// the values read and written, as float32, each once.
  int64_t bytes = 0;
};
/// shift_shares: of the tokens at each of routers_of.
StepWork work_of(const Plan& plan, const Step& step, const std::vector<double>& shift_shares);

// --- memory

/// A buffer of `floats` that must hold its values from step `first` to step `last`, both included.
struct BufferRequest {
  int64_t floats;
  int first, last;
};
/// Offsets in floats, each a multiple of a cache line; buffers whose steps overlap never share
/// memory.
struct MemoryPlan {
  std::vector<int64_t> offsets;  // of the requests, in their order
  int64_t floats = 0;            // size of the arena
};
/// Largest first, each at the lowest place that is free during its steps. O(n^2).
MemoryPlan plan_memory(const std::vector<BufferRequest>& requests);
/// A request for each buffer of the plan, for `images` at once: from the first step that touches it
/// to the last; 0 floats for what does not lie in the arena.
std::vector<BufferRequest> requests_of(const Plan& plan, int64_t images);

}  // namespace shiftadd
