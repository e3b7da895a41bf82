// Turns the steps of a plan into launches: what a step only copies is read where it lies, and
// norms, quantisation and routers join the product before them.
#include "cuda/launches.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/error.h"

namespace shiftadd::cuda {
namespace {

bool same_rows(const Rows& a, const Rows& b) {
  return a.buffer == b.buffer && a.first == b.first && a.rows == b.rows && a.column == b.column &&
         a.columns == b.columns;
}

// A product whose rows are split over at most so many blocks quantises its input itself: each of
// these blocks does it again.
constexpr int64_t kSplitsThatQuantise = 2;
// Whole rows of a product in one block: beyond, too few of its warps have work at a time.
constexpr int64_t kWidestProject = 512;

class Writer {
 public:
  Writer(const Plan& plan, const Limits& limits) : plan_(plan), limits_(limits) {
    result_.buffers = plan.buffers;
  }

  Launches run() {
    for (index_ = 0; index_ < plan_.steps.size(); ++index_)
      std::visit([this](const auto& op) { write(op); }, step().operation);
    keep_what_is_read();
    return std::move(result_);
  }

 private:
  const Step& step() const { return plan_.steps[index_]; }
  template <class Operation>
  const Operation* next() const {
    return index_ + 1 < plan_.steps.size()
               ? std::get_if<Operation>(&plan_.steps[index_ + 1].operation)
               : nullptr;
  }
  const Matrix& matrix(MatrixId id) const { return plan_.matrices[static_cast<std::size_t>(id)]; }
  const Buffer& buffer(BufferId id) const { return result_.buffers[static_cast<std::size_t>(id)]; }
  Rows new_buffer(const char* name, int64_t rows, int64_t columns) {
    result_.buffers.push_back({name, rows, columns});
    return {static_cast<BufferId>(result_.buffers.size()) - 1, 0, rows, 0, columns};
  }

  // --- rows that are only copied

  // Where rows really lie: a copy that was put off is read at its source.
  Rows source(Rows rows) const {
    const auto copy = copies_.find(rows.buffer);
    if (copy == copies_.end()) return rows;
    rows.buffer = copy->second.in.buffer;
    rows.first += copy->second.in.first;
    rows.column += copy->second.in.column;
    return rows;
  }
  // Before a buffer is written: whoever was to read it later gets its copy now.
  void before_writing(const Rows& rows) {
    copies_.erase(rows.buffer);
    for (auto copy = copies_.begin(); copy != copies_.end();) {
      if (copy->second.in.buffer == rows.buffer) {
        const Take op = copy->second;
        copy = copies_.erase(copy);
        emit(FinishLaunch{op.in, {.out = op.out}});
      } else {
        ++copy;
      }
    }
  }
  void write(const Take& op) {
    const Buffer& to = buffer(op.out.buffer);
    const bool whole = op.out.rows == to.rows && op.out.columns == to.columns;
    if (whole && to.storage == Storage::kValues) {
      before_writing(op.out);
      copies_[op.out.buffer] = {source(op.in), op.out};
      return;
    }
    if (joins_first_product(op)) return;
    before_writing(op.out);
    emit(FinishLaunch{source(op.in), {.out = op.out}});
  }
  // Tokens before the patches are written by the product that makes the patches.
  bool joins_first_product(const Take& op) {
    if (result_.list.size() != 1 || buffer(op.in.buffer).storage != Storage::kTable) return false;
    auto* product = std::get_if<MultiplyLaunch>(&result_.list.front().kind);
    if (!product || product->finish.out.buffer != op.out.buffer) return false;
    int64_t rows = 0;
    for (const Take& before : product->prefix) rows += before.out.rows;
    if (op.out.first != rows || op.out.columns != buffer(op.out.buffer).columns) return false;
    product->prefix.push_back(op);
    return true;
  }

  // --- what follows a product

  // The finish of the last launch, if its rows are these and nothing follows them yet.
  Finish* joinable(const Rows& rows) {
    if (result_.list.empty()) return nullptr;
    LaunchKind& last = result_.list.back().kind;
    Finish* finish = nullptr;
    if (auto* multiply = std::get_if<MultiplyLaunch>(&last)) {
      if (multiply->kernel == KernelNumber::project_int8_64 ||
          multiply->kernel == KernelNumber::project_int8_32)
        finish = &multiply->finish;
    } else if (auto* mlp = std::get_if<MlpLaunch>(&last)) {
      finish = &mlp->finish;
    }
    const bool fits = finish && finish->norm == kNone && same_rows(finish->out, rows);
    return fits ? finish : nullptr;
  }
  void write(const Normalise& op) {
    const Rows in = source(op.in);
    if (Finish* finish = joinable(in)) {
      before_writing(op.out);
      finish = joinable(in);  // copies that had to be made now come between
      if (finish) {
        finish->norm = op.norm;
        finish->normed = op.out;
        return;
      }
    }
    before_writing(op.out);
    emit(FinishLaunch{in, {.norm = op.norm, .normed = op.out}});
  }
  // The finish that makes these rows last, which a router or int8 numbers may be added to.
  Finish* maker_of(const Rows& rows) {
    for (auto launch = result_.list.rbegin(); launch != result_.list.rend(); ++launch) {
      Finish* finish = finish_of(*launch);
      if (finish && finish->normed.buffer == rows.buffer) return finish;
      for (const Use& use : uses_of(*launch))
        if (use.writes && use.buffer == rows.buffer) return nullptr;
    }
    return nullptr;
  }
  static Finish* finish_of(Launch& launch) {
    if (auto* multiply = std::get_if<MultiplyLaunch>(&launch.kind)) return &multiply->finish;
    if (auto* mlp = std::get_if<MlpLaunch>(&launch.kind)) return &mlp->finish;
    if (auto* rows = std::get_if<FinishLaunch>(&launch.kind)) return &rows->finish;
    return nullptr;
  }
  // One of its blocks sets the counts to 0 that a router in the others would add to.
  static bool starts(const Launch& launch) {
    const auto* multiply = std::get_if<MultiplyLaunch>(&launch.kind);
    return multiply && multiply->starts;
  }
  void write(const Route& op) {
    Route route = op;
    route.in = source(op.in);
    Finish* finish = result_.list.empty() ? nullptr : finish_of(result_.list.back());
    if (finish && same_rows(finish->normed, route.in) && !finish->route &&
        !starts(result_.list.back())) {
      finish->route = route;
      return;
    }
    emit(FinishLaunch{route.in, {.normed = route.in, .route = route}});
  }
  // Floats of a norm that nobody reads are not written, int8 numbers that somebody reads are.
  void keep_what_is_read() {
    std::map<BufferId, bool> floats, int8;
    for (const Launch& launch : result_.list)
      for (const Use& use : uses_of(launch))
        if (!use.writes) (use.int8 ? int8 : floats)[use.buffer] = true;
    for (Launch& launch : result_.list)
      if (Finish* finish = finish_of(launch); finish && finish->normed.defined()) {
        if (finish->norm != kNone) finish->keeps_floats = floats.count(finish->normed.buffer) > 0;
        finish->quantizes = int8.count(finish->normed.buffer) > 0;
      }
  }

  // --- products

  bool fits(std::size_t shared) const {
    return static_cast<int64_t>(shared) <= limits_.shared_bytes;
  }
  // Makes sure that rows lie there as int8 numbers.
  void quantise(const Rows& rows) {
    if (maker_of(rows) || quantised_.count(rows.buffer)) return;
    const Buffer& all = buffer(rows.buffer);
    const Rows whole = {rows.buffer, 0, all.rows, 0, all.columns};
    emit(FinishLaunch{whole, {.normed = whole}});
  }
  bool is_whole(const Rows& rows) const {
    return rows.column == 0 && rows.columns == buffer(rows.buffer).columns;
  }

  MultiplyLaunch multiply(MatrixId id, const Rows& in, Activation activation, Finish finish) {
    const Matrix& weight = matrix(id);
    MultiplyLaunch launch = {.kernel = KernelNumber::product_float32,
                             .tile_rows = kFloatTile,
                             .matrix = id,
                             .in = in,
                             .activation = activation,
                             .finish = std::move(finish)};
    const int64_t splits = (weight.out + kProductOutputs - 1) / kProductOutputs;
    switch (weight.arithmetic) {
      case Arithmetic::kFloat32:
        launch.reads_int8 = weight.int8_inputs;
        break;
      case Arithmetic::kBf16:
        launch.kernel = KernelNumber::product_bf16_64;
        launch.tile_rows = 64;
        break;
      case Arithmetic::kInt8:
        launch.kernel = KernelNumber::product_int8_64;
        launch.tile_rows = 64;
        launch.reads_int8 = is_whole(in) && (splits > kSplitsThatQuantise || maker_of(in));
        break;
    }
    return launch;
  }
  // Whole rows in a block, where a norm follows at once.
  void project_if_normed(MultiplyLaunch& launch) {
    const Matrix& weight = matrix(launch.matrix);
    const auto* norm = next<Normalise>();
    if (launch.kernel != KernelNumber::product_int8_64 || !norm ||
        !same_rows(norm->in, launch.finish.out) || weight.out > kWidestProject)
      return;
    const int64_t row_bytes = steps_of(weight.in, 1) * kStepBytes;
    for (const int rows : {64, 32})
      if (fits(project_shared(rows, row_bytes, weight.out))) {
        launch.kernel = rows == 64 ? KernelNumber::project_int8_64 : KernelNumber::project_int8_32;
        launch.tile_rows = rows;
        launch.reads_int8 = is_whole(launch.in) && maker_of(launch.in) != nullptr;
        return;
      }
  }
  void emit_product(MultiplyLaunch launch) {
    if (launch.reads_int8) quantise(launch.in);
    emit(std::move(launch));
  }
  void write(const Product& op) {
    const Rows in = source(op.in);
    const Finish finish = {.residual = residual_of(op.residual), .out = op.out};
    before_writing(op.out);
    MultiplyLaunch launch = multiply(op.matrix, in, op.activation, finish);
    if (patches_) launch.patches = std::exchange(patches_, std::nullopt);
    project_if_normed(launch);
    if (launch.patches) launch.reads_int8 = false;
    emit_product(std::move(launch));
  }
  // A square of the image a patch, read by the product that follows.
  void write(const Gather& op) {
    const auto* product = next<Product>();
    const bool images = buffer(op.in.buffer).storage == Storage::kImages;
    if (images && op.conv.kernel == op.conv.stride && op.conv.padding == 0 && product &&
        product->in.buffer == op.out.buffer &&
        matrix(product->matrix).arithmetic != Arithmetic::kFloat32) {
      patches_ = op;
      return;
    }
    before_writing(op.out);
    emit(GatherLaunch{{op.conv, op.input, source(op.in), op.out}});
  }

  // --- MLPs

  // The kernel that keeps the hidden rows of both layers, or nothing.
  std::optional<MlpLaunch> fused(const std::array<MatrixId, 2>& fc1,
                                 const std::array<MatrixId, 2>& fc2, HiddenActivation activation,
                                 const Rows& in) {
    const Matrix &first = matrix(fc1[0]), &second = matrix(fc2[0]);
    for (const MatrixId id : {fc1[0], fc1[1], fc2[0], fc2[1]})
      if (id != kNone && matrix(id).arithmetic != Arithmetic::kInt8) return {};
    if (activation != HiddenActivation::kGelu || !is_whole(in)) return {};
    for (const int rows : {32, 16})
      if (first.out <= (rows == 32 ? kMlpHidden32 : kMlpHidden16) &&
          fits(mlp_shared(rows, first.in, first.out, second.out)))
        return MlpLaunch{
            .kernel = rows == 32 ? KernelNumber::mlp_int8_32 : KernelNumber::mlp_int8_16,
            .tile_rows = rows,
            .fc1 = fc1,
            .fc2 = fc2,
            .in = in,
            .finish = {},
            .experts = {}};
    return {};
  }
  void write(const Mlp& op) {
    const Rows in = source(op.in);
    const Finish finish = {.residual = residual_of(op.residual), .out = op.out};
    if (auto launch = fused({op.fc1, kNone}, {op.fc2, kNone}, op.activation, in))
      return emit_mlp(std::move(*launch), finish);
    two_products({{op.fc1, op.fc2, {}}}, op.activation, in, finish);
  }
  void write(const Experts& op) {
    const Rows in = source(op.in);
    const Finish finish = {.residual = residual_of(op.residual), .out = op.out};
    ExpertUse use = {.order = op.order,
                     .gates = op.gate == GateKind::kProbability ? op.gates : kNone,
                     .router = op.index};
    if (op.is_mlp())
      if (auto launch = fused(op.fc1, op.fc2, op.activation, in)) {
        launch->experts = use;
        return emit_mlp(std::move(*launch), finish);
      }
    std::vector<Layers> experts;
    for (use.expert = 0; use.expert < 2; ++use.expert) {
      const auto expert = static_cast<std::size_t>(use.expert);
      experts.push_back({op.fc1[expert], op.fc2[expert], use});
    }
    if (op.is_mlp()) return two_products(experts, op.activation, in, finish);
    before_writing(op.out);
    for (const Layers& expert : experts) {
      MultiplyLaunch launch = multiply(expert.fc1, in, Activation::kNone, finish);
      launch.experts = expert.use;
      launch.experts->gathers = launch.experts->scatters = true;
      emit_product(std::move(launch));
    }
  }
  void emit_mlp(MlpLaunch launch, const Finish& finish) {
    quantise(launch.in);
    before_writing(finish.out);
    launch.finish = finish;
    emit(std::move(launch));
  }
  Rows residual_of(const Rows& rows) const { return rows.defined() ? source(rows) : Rows{}; }

  // fc1, its activation and fc2, each by itself; of experts, whose hidden rows lie in the order's
  // places, one after the other: each reads and writes its own rows alone.
  struct Layers {
    MatrixId fc1, fc2;
    std::optional<ExpertUse> use;
  };
  void two_products(const std::vector<Layers>& experts, HiddenActivation activation, const Rows& in,
                    const Finish& finish) {
    const bool gelu = activation == HiddenActivation::kGelu;
    const Rows hidden = new_buffer("hidden", in.rows, matrix(experts.front().fc1).out);
    for (const Layers& layers : experts) {
      MultiplyLaunch launch = multiply(layers.fc1, in, gelu ? Activation::kGelu : Activation::kNone,
                                       {.residual = {}, .out = hidden});
      launch.experts = layers.use;
      if (layers.use) {
        launch.experts->gathers = true;
        launch.experts->gates = kNone;
      }
      emit_product(std::move(launch));
    }
    Rows gated = hidden;
    if (!gelu) {
      if (inputs_of(activation) > 1)
        gated = new_buffer("gated", in.rows, matrix(experts.front().fc2).in);
      emit(MapLaunch{function_of(activation), hidden, gated});
    }
    before_writing(finish.out);
    for (const Layers& layers : experts) {
      MultiplyLaunch launch = multiply(layers.fc2, gated, Activation::kNone, finish);
      launch.experts = layers.use;
      if (layers.use)
        launch.experts->scatters = true;
      else
        project_if_normed(launch);
      emit_product(std::move(launch));
    }
  }

  // --- the rest

  void write(const Attend& op) {
    Attend attend = op;
    for (Rows* rows : {&attend.q, &attend.k, &attend.v}) *rows = source(*rows);
    before_writing(op.out);
    const std::string missing =
        missing_attention(kernel_of(attend), attend_args(result_.buffers, attend, 1),
                          {static_cast<std::size_t>(limits_.shared_bytes), limits_.processors});
    if (!missing.empty()) refuse(missing);
    emit(AttendLaunch{attend});
  }
  void write(const Activate& op) {
    const Rows in = source(op.in);
    before_writing(op.out);
    emit(MapLaunch{function_of(op.kind), in, op.out});
  }
  void write(const Tanh& op) {
    const Rows in = source(op.values);
    before_writing(op.values);
    emit(MapLaunch{Function::kTanh, in, op.values});
  }
  void write(const Scale& op) {
    Scale scale = op;
    scale.in = source(op.in);
    if (op.residual.defined()) scale.residual = source(op.residual);
    before_writing(op.out);
    emit(ScaleLaunch{scale});
  }
  void write(const Mean& op) {
    const Rows in = source(op.in);
    before_writing(op.out);
    emit(MeanLaunch{{in, op.out}});
  }
  void write(const Depthwise&) { refuse("filters over tokens run on the CPU alone"); }

  [[noreturn]] void refuse(const std::string& why) const {
    throw failure("--device cuda: the step '", step().name,
                  "' of this network has no kernel: ", why, "; use --device cpu");
  }
  void emit(LaunchKind kind) {
    if (const auto* rows = std::get_if<FinishLaunch>(&kind))
      if (!fits(finish_shared(1, rows->in.columns)))
        refuse("a row of " + std::to_string(rows->in.columns) +
               " numbers does not fit into the shared memory of a block");
    if (auto* multiply = std::get_if<MultiplyLaunch>(&kind))
      multiply->starts = !std::exchange(started_, true);
    result_.list.push_back({step().name, step().layer, std::move(kind)});
    for (const Use& use : uses_of(result_.list.back()))
      if (use.writes) quantised_.erase(use.buffer);
    if (const auto* rows = std::get_if<FinishLaunch>(&result_.list.back().kind))
      if (rows->finish.normed.defined()) quantised_[rows->finish.normed.buffer] = true;
  }

  const Plan& plan_;
  const Limits& limits_;
  Launches result_;
  std::size_t index_ = 0;
  bool started_ = false;                // there is a product
  std::map<BufferId, Take> copies_;     // of whole buffers, put off
  std::map<BufferId, bool> quantised_;  // buffers with int8 numbers beside them that are of now
  std::optional<Gather> patches_;       // what the next product reads
};

}  // namespace

Launches launches_of(const Plan& plan, const Limits& limits) { return Writer(plan, limits).run(); }

}  // namespace shiftadd::cuda
