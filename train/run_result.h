// What a finished run came to (result.json).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "train/evaluation.h"

namespace shiftadd::train {

struct RunResult {
  std::string name;
  ModelSpec spec;
  double top1 = 0, top5 = 0, loss = 0;  // percent, percent, nats
  int64_t images = 0;                   // of the validation set
  std::vector<double> shift_shares;     // as in Validation, and so is `right`
  std::string right;
  std::string data;          // digest of the validation set
  std::string model;         // SHA-256 of the model file
  std::string weights = {};  // which ones of the run: weights_text; "": not said
  std::optional<uint64_t> seed =
      {};  // of the run's manifest, where it was asked; not in result.json
};

/// `data`: the validation set's digest; `model_path`: the model file that was measured.
RunResult make_result(const std::string& name, const ModelSpec& spec, const Validation& validation,
                      const std::string& data, const std::string& model_path);

/// FOLDER/result.json: accuracy, the shares of each router, operations, energy
/// (model/op_count.h at those shares), weight bytes, and which images were answered rightly.
/// Atomic.
void write_result(const std::string& folder, const RunResult& result);
/// Throws Error (user) where FOLDER/result.json is absent, damaged, or of another version.
RunResult read_result(const std::string& folder);

}  // namespace shiftadd::train
