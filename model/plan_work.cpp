// Counts the terms and bytes of each step of a plan.
#include <cmath>

#include "model/plan.h"

namespace shiftadd {
namespace {

constexpr int64_t kFloat = sizeof(float);

class Counter {
 public:
  Counter(const Plan& plan, const std::vector<double>& shares) : plan_(plan), shares_(shares) {}

  StepWork operator()(const Gather& op) const { return moved({op.in, op.out}); }
  StepWork operator()(const Take& op) const { return moved({op.in, op.out}); }
  StepWork operator()(const Normalise& op) const {
    StepWork work = moved({op.in, op.out});
    work.bytes += kFloat * 2 * op.in.columns;
    return work;
  }
  StepWork operator()(const Product& op) const {
    StepWork work;
    product(work, op.matrix, op.in.rows);
    if (op.residual.defined()) work.bytes += kFloat * op.residual.values();
    return work;
  }
  StepWork operator()(const Mlp& op) const {
    StepWork work;
    product(work, op.fc1, op.in.rows);
    product(work, op.fc2, op.in.rows);
    if (op.residual.defined()) work.bytes += kFloat * op.residual.values();
    return work;
  }
  StepWork operator()(const Depthwise& op) const {
    StepWork work = moved({op.in, op.out});
    const int64_t taps = op.spec.kernel * op.spec.kernel;
    work.float_terms = op.in.values() * taps;
    work.bytes += kFloat * op.spec.width * (taps + 1);
    return work;
  }
  StepWork operator()(const Activate& op) const { return moved({op.in, op.out}); }
  StepWork operator()(const Tanh& op) const { return moved({op.values, op.values}); }
  StepWork operator()(const Scale& op) const {
    StepWork work = moved({op.in, op.out, op.residual});
    work.bytes += kFloat * op.in.columns;
    return work;
  }
  StepWork operator()(const Attend& op) const {
    StepWork work = moved({op.q, op.out, op.k, op.v});
    const bool linear = op.filter != kNone || op.has_window();
    const int64_t answers = op.out.rows, keys = op.k.rows, width = op.out.columns;
    work.multiplication_free = op.codes.kind != Codes::kNone;
    // The terms are those of q k^T and its product with v, or of k^T v and its product with q.
    (op.integers ? work.integer_terms : work.float_terms) =
        linear ? (keys + answers) * op.head_dim * width : 2 * answers * keys * width;
    if (op.has_window())
      for (int64_t query = 0; query < answers; ++query)
        work.float_terms += 2 * op.grid.window_size(query) * width;
    if (op.filter == kNone) return work;
    const int64_t taps = op.local.kernel_h * op.local.kernel_w;
    work.float_terms += (answers - op.local.first) * taps * width;
    work.bytes += kFloat * op.heads * taps;
    return work;
  }
  StepWork operator()(const Route& op) const {
    StepWork work;
    if (op.router != kNone) product(work, op.router, op.in.rows);
    work.bytes += kFloat * op.in.rows;  // the order
    return work;
  }
  StepWork operator()(const Experts& op) const {
    StepWork work = {.multiplication_free = true};
    const int64_t shifted =
        std::llround(shares_[static_cast<std::size_t>(op.index)] * static_cast<double>(op.in.rows));
    for (const auto& layers : {op.fc1, op.fc2})
      if (layers[0] != kNone) {
        product(work, layers[kMultExpert], op.in.rows - shifted);
        product(work, layers[kShiftExpert], shifted);
      }
    if (op.residual.defined()) work.bytes += kFloat * op.residual.values();
    return work;
  }
  StepWork operator()(const Mean& op) const { return moved({op.in, op.out}); }

 private:
  static StepWork moved(const std::vector<Rows>& rows) {
    StepWork work;
    for (const Rows& each : rows) work.bytes += kFloat * each.values();
    return work;
  }
  void product(StepWork& work, MatrixId id, int64_t rows) const {
    if (rows == 0) return;
    const Matrix& matrix = plan_.matrices[static_cast<std::size_t>(id)];
    const int64_t numbers = matrix.in * matrix.out;
    const bool integers = matrix.arithmetic == Arithmetic::kInt8,
               bf16 = matrix.arithmetic == Arithmetic::kBf16;
    (integers ? work.integer_terms : bf16 ? work.bf16_terms : work.float_terms) += rows * numbers;
    work.bytes += integers ? numbers + kFloat * matrix.out : (bf16 ? 2 : kFloat) * numbers;
    work.bytes += kFloat * (matrix.out + rows * (matrix.in + matrix.out));  // bias, activations
    work.multiplication_free = work.multiplication_free || matrix.shifts;
  }

  const Plan& plan_;
  const std::vector<double>& shares_;
};

}  // namespace

StepWork work_of(const Plan& plan, const Step& step, const std::vector<double>& shift_shares) {
  return std::visit(Counter(plan, shift_shares), step.operation);
}

}  // namespace shiftadd
