// Asks each step for its scratch, and places it in the arena beside the values of the plan.
#include "infer/cpu_layout.h"

#include <algorithm>
#include <utility>

namespace shiftadd::infer {
namespace {

int64_t floats_of_bytes(int64_t bytes) {
  constexpr int64_t kFloat = sizeof(float);
  return (bytes + kFloat - 1) / kFloat;
}

class Needs {
 public:
  Needs(const Plan& plan, int64_t images) : plan_(plan), images_(images) {}

  Scratch operator()(const Gather&) const { return {}; }
  Scratch operator()(const Take&) const { return {}; }
  Scratch operator()(const Normalise&) const { return {}; }
  Scratch operator()(const Activate&) const { return {}; }
  Scratch operator()(const Tanh&) const { return {}; }
  Scratch operator()(const Scale&) const { return {}; }
  Scratch operator()(const Route&) const { return {}; }
  Scratch operator()(const Mean&) const { return {}; }
  Scratch operator()(const Product& op) const {
    Scratch scratch;
    const Matrix& matrix = at(op.matrix);
    const int64_t rows = images_ * op.in.rows;
    input(scratch, matrix, rows);
    if (matrix.int8_inputs && matrix.arithmetic != Arithmetic::kInt8)
      scratch.rounded = rows * matrix.in;
    return scratch;
  }
  Scratch operator()(const Mlp& op) const {
    Scratch scratch;
    layers(scratch, at(op.fc1), at(op.fc2), images_ * op.in.rows);
    return scratch;
  }
  Scratch operator()(const Depthwise& op) const {
    Scratch scratch;
    scratch.planes = op.in.values();
    return scratch;
  }
  Scratch operator()(const Attend& op) const {
    Scratch scratch;
    if (op.needs_thresholds()) scratch.thresholds = 2 * images_ * op.heads;
    return scratch;
  }
  // Gathered tokens are the experts' own: they are rounded, and by an MLP answered, in place.
  Scratch operator()(const Experts& op) const {
    Scratch scratch;
    const int64_t rows = images_ * op.in.rows;
    bool integers = op.is_mlp();
    for (const int i : {0, 1}) {
      if (!op.is_mlp()) {
        input(scratch, at(op.fc1[i]), rows);
        continue;
      }
      layers(scratch, at(op.fc1[i]), at(op.fc2[i]), rows);
      for (const MatrixId id : {op.fc1[i], op.fc2[i]})
        integers = integers && at(id).arithmetic == Arithmetic::kInt8;
    }
    scratch.outputs = rows * op.out.columns;
    if (integers) {  // tokens are read by index
      scratch.token_integers = floats_of_bytes(rows * op.in.columns);
      scratch.token_scales = rows;
    } else {
      scratch.gathered = rows * op.in.columns;
      if (op.is_mlp()) scratch.outputs = 0;
    }
    return scratch;
  }

 private:
  const Matrix& at(MatrixId id) const { return plan_.matrices[static_cast<std::size_t>(id)]; }

  static void grow(int64_t& part, int64_t floats) { part = std::max(part, floats); }
  static void input(Scratch& scratch, const Matrix& matrix, int64_t rows) {
    if (!matrix.int8_inputs) return;
    grow(scratch.scales, rows);
    if (matrix.arithmetic == Arithmetic::kInt8)
      grow(scratch.integers, floats_of_bytes(rows * matrix.in));
  }
  static void layers(Scratch& scratch, const Matrix& fc1, const Matrix& fc2, int64_t rows) {
    grow(scratch.hidden, rows * fc1.out);
    if (fc2.in != fc1.out) grow(scratch.gated, rows * fc2.in);
    input(scratch, fc1, rows);
    input(scratch, fc2, rows);
  }

  const Plan& plan_;
  int64_t images_;
};

}  // namespace

Scratch scratch_of(const Plan& plan, const Step& step, int64_t images) {
  return std::visit(Needs(plan, images), step.operation);
}

CpuLayout::CpuLayout(Plan its_plan, int64_t its_images)
    : plan(std::move(its_plan)), images(its_images) {
  std::vector<BufferRequest> requests = requests_of(plan, images);
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    scratch.push_back(scratch_of(plan, plan.steps[i], images));
    for (const auto part : kScratchParts)
      requests.push_back({scratch[i].*part, static_cast<int>(i), static_cast<int>(i)});
  }
  const MemoryPlan memory = plan_memory(requests);
  floats = memory.floats;
  const auto scratch_begins = memory.offsets.begin() + static_cast<int64_t>(plan.buffers.size());
  offsets.assign(memory.offsets.begin(), scratch_begins);
  auto next = scratch_begins;
  for (Scratch& each : scratch)
    for (const auto part : kScratchParts) each.*part = *next++;
}

}  // namespace shiftadd::infer
