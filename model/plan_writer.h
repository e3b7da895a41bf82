// Writes the parts of a plan: buffers, matrices, tables, and steps that are one operation each.
#pragma once

#include <string>
#include <utility>

#include "model/plan.h"

namespace shiftadd {

/// `options` and `pack` say what a matrix is stored as; both outlive the writer.
class PlanWriter {
 public:
  PlanWriter(const ShiftAddSpec& options, const PackSpec& pack) : options_(options), pack_(pack) {}

 protected:
  BufferId buffer(std::string name, int64_t rows, int64_t columns,
                  Storage storage = Storage::kValues, TableId table = kNone) {
    plan_.buffers.push_back({std::move(name), rows, columns, storage, table});
    return static_cast<BufferId>(plan_.buffers.size()) - 1;
  }
  BufferId table(const std::string& parameter, int64_t rows, int64_t columns,
                 const std::string& plus = "", int64_t plus_first = 0) {
    plan_.tables.push_back({parameter, rows, columns, plus, plus_first});
    return buffer(parameter, rows, columns, Storage::kTable,
                  static_cast<TableId>(plan_.tables.size()) - 1);
  }
  Rows all(BufferId id) const {
    const Buffer& buffer = plan_.buffers[static_cast<std::size_t>(id)];
    return {id, 0, buffer.rows, 0, buffer.columns};
  }
  Rows values(const char* name, int64_t rows, int64_t columns) {
    return all(buffer(name, rows, columns));
  }
  static Rows rows(Rows of, int64_t first, int64_t count) {
    of.first += first;
    of.rows = count;
    return of;
  }
  static Rows columns(Rows of, int64_t first, int64_t count) {
    of.column += first;
    of.columns = count;
    return of;
  }
  void step(LayerId layer, std::string name, Operation operation) {
    plan_.steps.push_back({layer, std::move(name), std::move(operation)});
  }

  MatrixId matrix(const std::string& layer, int64_t out, int64_t in, bool shifts,
                  int64_t first = 0) {
    Matrix matrix = {layer, first, out, in, Arithmetic::kFloat32, shifts, false};
    if (shifts) {
      matrix.int8_inputs = options_.int8_activations;
      if (options_.int8_activations && options_.format == ShiftFormat::k4Bit)
        matrix.arithmetic = Arithmetic::kInt8;
    } else if (pack_.multiply != MultiplyFormat::kFloat32) {
      matrix.int8_inputs = pack_.multiply == MultiplyFormat::kInt8;
      matrix.arithmetic = matrix.int8_inputs ? Arithmetic::kInt8 : Arithmetic::kBf16;
    }
    return add(std::move(matrix));
  }
  // Routers and the head stay float32 in every pack.
  MatrixId float_matrix(const std::string& layer, int64_t out, int64_t in) {
    return add({layer, 0, out, in, Arithmetic::kFloat32, false, false});
  }
  MatrixId add(Matrix matrix) {
    plan_.matrices.push_back(std::move(matrix));
    return static_cast<MatrixId>(plan_.matrices.size()) - 1;
  }
  bool in_integers(MatrixId id) const {
    return plan_.matrices[static_cast<std::size_t>(id)].arithmetic == Arithmetic::kInt8;
  }

  Rows normalise(const NormSpec& norm, LayerId layer, const char* name, const Rows& in) {
    const Rows out = values(name, in.rows, in.columns);
    plan_.norms.push_back(norm);
    step(layer, name, Normalise{static_cast<NormId>(plan_.norms.size()) - 1, in, out});
    return out;
  }
  Rows take(LayerId layer, const char* name, const Rows& in) {
    const Rows out = values(name, in.rows, in.columns);
    step(layer, name, Take{in, out});
    return out;
  }
  Rows gather(const ConvSpec& conv, LayerId layer, const char* name, const Grid& input,
              const Rows& in) {
    const Rows out = values(name, conv.grid_of(input).count(), conv.inputs());
    step(layer, name, Gather{conv, input, in, out});
    return out;
  }

  Plan take_plan() { return std::move(plan_); }

  const ShiftAddSpec& options_;
  const PackSpec& pack_;

 private:
  Plan plan_;
};

}  // namespace shiftadd
