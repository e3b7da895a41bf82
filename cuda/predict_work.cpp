// Counts what a launch moves and computes, as its kernel does it: rows, tiles and blocks.
#include <algorithm>
#include <cmath>

#include "cuda/attention_layout.h"
#include "cuda/predict.h"

namespace shiftadd::cuda {
namespace {

constexpr double kFloat = sizeof(float);

// Instructions for one number (core/vector_math.h, cuda/tile.h, cuda/finish.h): of floats, and
// integer ones, to which minima, comparisons and choices belong.
struct Ops {
  double floats, integers;
};
constexpr Ops kExp = {12, 6}, kGelu = {17, 4};
// Of two, an instruction that runs at a quarter of the rate, between two multiplications.
constexpr Ops kExp2 = {6, 1};
// x / (1 + exp(..)) and tanh, whose division is a reciprocal, refined.
constexpr Ops kSwish = {kExp.floats + 9, kExp.integers + 2};
constexpr Ops kQuantise = {3, 3};           // its row's largest magnitude included
constexpr double kScaled = 2;               // a sum of integers with its scales and bias
constexpr double kNorm = 7;                 // mean, squares, and the norm itself
constexpr double kNibbles = 11;             // expand_nibbles: eight codes
constexpr double kPopulation = 4;           // __popc runs at a quarter of the rate
constexpr double kSigns = kPopulation + 2;  // 32 signs by 32: exclusive or, count, sum
constexpr double kLevels = 4 * kSigns + 1;  // 32 levels by 32
constexpr double kGathered = 10;            // where a number under a filter lies

double ceil_div(double of, double each) { return std::ceil(of / each); }

struct WorkOf {
  const Plan& plan;
  const Launches& launches;
  const Launch& launch;
  double images;
  const Limits& limits;
  const std::vector<double>& shares;
  LaunchShape made;
  LaunchWork work = {};

  const Matrix& matrix(MatrixId id) const { return plan.matrices[static_cast<std::size_t>(id)]; }
  const Buffer& buffer(BufferId id) const { return launches.buffers[static_cast<std::size_t>(id)]; }
  double values(const Rows& rows) const { return images * static_cast<double>(rows.values()); }

  // Of `count` numbers.
  void add(double count, const Ops& ops) {
    work.float_ops += count * ops.floats;
    work.integer_ops += count * ops.integers;
  }

  // --- bytes

  void move(double share) {
    for (const Use& use : uses_of(launch)) {
      const Buffer& of = buffer(use.buffer);
      const double rows = static_cast<double>(use.rows ? use.rows : of.rows);
      const double columns = static_cast<double>(use.rows ? use.columns : of.columns);
      if (of.storage == Storage::kTable) {
        work.weight_bytes += rows * columns * kFloat;
        continue;
      }
      const double row_bytes =
          use.int8 ? static_cast<double>(steps_of(of.columns, 1) * kStepBytes) + kFloat
                   : columns * kFloat;
      const double bytes = images * share * rows * row_bytes;
      const bool outer = of.storage != Storage::kValues;
      (outer ? work.outer_bytes : use.writes ? work.written_bytes : work.read_bytes) += bytes;
    }
  }
  static int64_t number_bytes(const Matrix& of) {
    return of.arithmetic == Arithmetic::kBf16 ? 2 : 1;
  }
  // Outputs and inputs of a weight that tensor cores multiply, in whole fragments.
  static double padded_outputs(const Matrix& of) {
    return static_cast<double>(groups_of(of.out) * kGroupOutputs);
  }
  static double padded_inputs(const Matrix& of) {
    const int64_t bytes = number_bytes(of);
    return static_cast<double>(steps_of(of.in, bytes) * kStepBytes / bytes);
  }
  static bool is_nibbles(const Matrix& of) {
    return of.shifts && of.arithmetic == Arithmetic::kInt8;
  }
  void load(MatrixId id) {
    const Matrix& of = matrix(id);
    const double out = static_cast<double>(of.out), in = static_cast<double>(of.in);
    work.weight_bytes += kFloat * out;  // the bias
    if (of.arithmetic == Arithmetic::kFloat32) {
      work.weight_bytes += kFloat * out * in;
      return;
    }
    const double bytes = is_nibbles(of) ? 0.5 : static_cast<double>(number_bytes(of));
    work.weight_bytes += bytes * padded_outputs(of) * padded_inputs(of);
    if (of.arithmetic == Arithmetic::kInt8) work.weight_bytes += kFloat * out;
  }

  // --- products

  // `rows` rows by a weight on tensor cores, in tiles of `tile` rows; a warp makes one of at most
  // 32 rows from each fragment that it reads.
  void multiply(const Matrix& of, double rows, double tile) {
    const double terms = rows * static_cast<double>(of.out * of.in);
    const double weight = padded_outputs(of) * padded_inputs(of);
    const double padded = ceil_div(rows, tile) * tile;
    if (of.arithmetic == Arithmetic::kBf16) {
      work.bf16_terms += terms;
      work.bf16_tiles += padded * weight;
      return;
    }
    work.int8_terms += terms;
    work.int8_tiles += padded * weight;
    if (is_nibbles(of)) work.integer_ops += padded / std::min(tile, 32.0) * weight / 8 * kNibbles;
  }
  void finish(const Finish& of, double rows, double width, bool gated) {
    if (gated) work.float_ops += rows * width;
    if (of.residual.defined()) work.float_ops += rows * width;
    if (of.norm != kNone) {
      work.float_ops += rows * width * kNorm;
      work.weight_bytes += 2 * kFloat * width;
    }
    if (of.quantizes) add(rows * width, kQuantise);
    if (!of.route) return;
    if (of.route->router != kNone) {
      load(of.route->router);
      work.float_terms += 2 * rows * width;
      work.float_ops += 2 * rows * width;
    }
  }
  static bool is_gated(const std::optional<ExpertUse>& use) { return use && use->gates != kNone; }

  void operator()(const MultiplyLaunch& product) {
    const Matrix& of = matrix(product.matrix);
    double share = 1;
    if (product.experts) {
      share = shares.at(static_cast<std::size_t>(product.experts->router));
      if (product.experts->expert == 0) share = 1 - share;
    }
    move(share);
    load(product.matrix);
    for (const Take& take : product.prefix) work.written_bytes += kFloat * values(take.out);
    const double rows = share * images * static_cast<double>(product.in.rows);
    const double in = static_cast<double>(of.in), out = static_cast<double>(of.out);
    const double across = made.shape.grid_y;
    double tile = product.tile_rows;
    switch (made.kernel) {
      case KernelNumber::product_float32:
        work.float_terms += rows * in * out;
        work.float_ops += ceil_div(rows, tile) * tile * across * kFloatTile * in;
        break;
      default:
        tile = made.kernel == KernelNumber::product_int8_32 ||
                       made.kernel == KernelNumber::product_bf16_32 ||
                       made.kernel == KernelNumber::project_int8_32
                   ? 32
                   : 64;
        multiply(of, rows, tile);
        // Each block makes numbers of its rows.
        if (!product.reads_int8 && of.arithmetic == Arithmetic::kInt8)
          add(across * rows * in, kQuantise);
        break;
    }
    work.blocks = across * ceil_div(rows, tile);
    work.float_ops += rows * out * (of.arithmetic == Arithmetic::kInt8 ? kScaled : 1);
    if (product.activation == Activation::kGelu) add(rows * out, kGelu);
    finish(product.finish, rows, out, is_gated(product.experts));
  }
  void operator()(const MlpLaunch& mlp) {
    move(1);
    const double all = images * static_cast<double>(mlp.in.rows), tile = mlp.tile_rows;
    for (std::size_t expert = 0; expert < 2; ++expert) {
      if (mlp.fc1[expert] == kNone) continue;
      double rows = all;
      if (mlp.experts) {
        const double shifted = shares.at(static_cast<std::size_t>(mlp.experts->router));
        rows *= expert == 0 ? 1 - shifted : shifted;
      }
      const Matrix &fc1 = matrix(mlp.fc1[expert]), &fc2 = matrix(mlp.fc2[expert]);
      load(mlp.fc1[expert]);
      load(mlp.fc2[expert]);
      multiply(fc1, rows, tile);
      multiply(fc2, rows, tile);
      work.blocks += ceil_div(rows, tile);
      const double hidden = rows * static_cast<double>(fc1.out);
      work.float_ops += kScaled * (hidden + rows * static_cast<double>(fc2.out));
      add(hidden, kGelu);
      add(hidden, kQuantise);
    }
    finish(mlp.finish, all, static_cast<double>(matrix(mlp.fc2[0]).out), is_gated(mlp.experts));
  }

  // --- attention

  void operator()(const AttendLaunch& attend);

  // --- the rest

  void operator()(const FinishLaunch& rows) {
    each_block();
    finish(rows.finish, images * static_cast<double>(rows.in.rows),
           static_cast<double>(rows.in.columns), false);
  }
  void operator()(const MapLaunch& map) {
    each_block();
    const bool relu = map.function == Function::kRelu, gelu = map.function == Function::kGelu;
    add(values(map.out), relu ? Ops{0, 1} : gelu ? kGelu : kSwish);
  }
  void operator()(const ScaleLaunch& scale) {
    each_block();
    work.float_ops += values(scale.scale.out);
  }
  void operator()(const MeanLaunch& mean) {
    each_block();
    work.float_ops += values(mean.mean.in);
  }
  void operator()(const GatherLaunch& gather) {
    each_block();
    work.integer_ops += kGathered * values(gather.gather.out);
  }
  void each_block() {
    move(1);
    work.blocks = static_cast<double>(made.shape.grid_x) * made.shape.grid_y * made.shape.grid_z;
  }
};

// Of one head of one image, as its kernel pads it.
struct HeadWork {
  const Attend& op;
  AttentionCut cut;
  double blocks;  // each of them reads all keys
  LaunchWork work = {};

  double queries = static_cast<double>(op.out.rows), keys = static_cast<double>(op.k.rows);
  double code = static_cast<double>(op.codes.kind == Codes::kNone ? op.head_dim : op.codes.width);
  double head = static_cast<double>(op.head_dim);
  double width = std::max(code, head) <= 32 ? 32 : std::max(code, head) <= 64 ? 64 : 128;
  double tiles = ceil_div(queries, cut.tile);
  double padded_queries = tiles * cut.tile;
  double padded_keys = ceil_div(keys, kKeyStep) * kKeyStep;

  void add(double count, const Ops& ops) {
    work.float_ops += count * ops.floats;
    work.integer_ops += count * ops.integers;
  }

  void softmax_of_integers() {
    work.int8_terms = queries * keys * (code + head);
    // The probabilities have two digits, each of them multiplied.
    work.int8_tiles = padded_queries * padded_keys * 3 * width;
    const double reads = cut.resident ? blocks : tiles;
    add(reads * keys * (code + head) + queries * code, {1, 3});
    work.float_ops += 2 * padded_queries * padded_keys;
    add(queries * padded_keys, {kExp.floats + 2, kExp.integers + 5});
    add(queries * head, {1, 2});
  }
  void softmax_of_bf16() {
    work.bf16_terms = queries * keys * (code + head);
    const double pairs = padded_queries * ceil_div(keys, kTileSide) * kTileSide;
    work.bf16_tiles = pairs * 2 * width;
    add(pairs, {kExp2.floats + 3, kExp2.integers + 2});
    // What was summed before each tile of keys is scaled.
    work.float_ops += padded_queries * ceil_div(keys, kBf16Keys) * width;
  }
  // k^T v and q (k^T v).
  void linear(int digits) {
    work.int8_terms = (keys + queries) * code * head;
    work.int8_tiles = (blocks * padded_keys + padded_queries * digits) * width * width;
    add(blocks * keys * (code + head) + queries * code, {1, 3});
    work.float_ops += queries * head * 5;
    filter();
  }
  void filter() {
    if (op.filter == kNone) return;
    const double taps = static_cast<double>(op.local.kernel_h * op.local.kernel_w);
    const double terms = (queries - static_cast<double>(op.local.first)) * taps * head;
    work.float_terms += terms;
    work.float_ops += terms;
  }
  // Beside that, windows of keys, a lane of a warp each.
  void windows() {
    for (int64_t query = op.out.first; query < op.out.first + op.out.rows; ++query) {
      const auto window = static_cast<double>(op.grid.window_size(query));
      const double lanes = ceil_div(window, 32) * 32;
      work.float_terms += window * head;
      work.float_ops += window * head;
      work.integer_ops += lanes * width / 32 * kLevels;
      add(lanes, {kExp.floats + 4, kExp.integers + 2});
    }
  }
  // Of queries and keys with values; for each pair that the tiles have, more.
  void products_of_floats(const Ops& more) {
    const double pairs = padded_queries * ceil_div(keys, kScoreKeys) * kScoreKeys;
    const bool codes = op.codes.kind != Codes::kNone;
    work.float_terms = queries * keys * (codes ? head : code + head);
    work.float_ops += pairs * (codes ? width : 2 * width);
    if (codes)
      work.integer_ops +=
          pairs * width / 32 * (op.codes.kind == Codes::kBipolar2 ? kLevels : kSigns);
    add(pairs, more);
    if (op.values == ValueFormat::kInt8) add(blocks * keys * head, {1, 2});
  }
};

void WorkOf::operator()(const AttendLaunch& attend) {
  each_block();
  const Attend& op = attend.attend;
  const AttentionKernel kernel = kernel_of(op);
  const AttendArgs args = attend_args(launches.buffers, op, static_cast<int64_t>(images));
  const AttentionLimits most = {static_cast<std::size_t>(limits.shared_bytes), limits.processors};
  HeadWork head = {.op = op,
                   .cut = plan_attention(kernel, args, most).cut,
                   .blocks = static_cast<double>(made.shape.grid_x)};
  const int keys = static_cast<int>(op.k.rows);
  switch (kernel) {
    case AttentionKernel::kInt8:
      head.softmax_of_integers();
      break;
    case AttentionKernel::kLinear:
      head.linear(digits_for(127 * keys));
      break;
    case AttentionKernel::kWindow:
      head.linear(digits_for(3 * 127 * keys));
      head.windows();
      break;
    case AttentionKernel::kSoftmax:
      head.products_of_floats({kExp.floats + 3, kExp.integers + 2});
      break;
    case AttentionKernel::kBf16:
      head.softmax_of_bf16();
      break;
    case AttentionKernel::kAngular:
      head.products_of_floats({});
      head.work.float_ops += head.queries * head.head * 5;
      head.filter();
      break;
  }
  const double heads = images * static_cast<double>(op.heads);
  work.int8_terms = heads * head.work.int8_terms;
  work.int8_tiles = heads * head.work.int8_tiles;
  work.bf16_terms = heads * head.work.bf16_terms;
  work.bf16_tiles = heads * head.work.bf16_tiles;
  work.float_terms = heads * head.work.float_terms;
  work.float_ops = heads * head.work.float_ops;
  work.integer_ops = heads * head.work.integer_ops;
}

}  // namespace

LaunchWork launch_work(const Plan& plan, const Launches& launches, const Launch& launch,
                       int64_t images, const Limits& limits,
                       const std::vector<double>& shift_shares) {
  WorkOf count = {plan,
                  launches,
                  launch,
                  static_cast<double>(images),
                  limits,
                  shift_shares,
                  shape_of(plan, launches, launch, images, limits)};
  std::visit(count, launch.kind);
  return count.work;
}

}  // namespace shiftadd::cuda
