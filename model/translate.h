// The tensors of a foreign checkpoint under our names.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/io/weights_file.h"
#include "model/weights_prefix.h"

namespace shiftadd {

struct ConvertOptions {
  std::optional<std::string> prefix;  // under which the network lies; none: choose_names
  std::vector<std::string> ignore;    // patterns of tensors to leave out, by either name
};

struct TranslatedTensor {
  std::string name;                  // ours, or the file's where there is no other
  std::vector<std::string> sources;  // in the file; several are stacked in it
  Tensor tensor;                     // undefined where it is of a type that is not read,
  std::string unread;                // for this reason
  std::string note;                  // why it is left out; empty: it may be a parameter
  bool is_beside = false;            // it does not lie under the prefix

  std::string source() const;  // "a.q + a.k + a.v"
  Shape shape() const { return tensor.defined() ? tensor.shape() : Shape{}; }
};

struct Translation {
  Dialect dialect;
  std::string prefix;  // stripped from every name: "module."
  std::vector<TranslatedTensor> tensors;
  std::vector<std::string> told;      // "activation=swiglu": what the names say of the network
  std::vector<std::string> problems;  // why they cannot be used; empty: they can
  std::string names;                  // a mapping file's text: the rules that were used
};

/// Finds the prefix and, of `dialects` (empty: those that are known), the one that the names are
/// in, and applies its rules; `parameters` are those of the network where it is known. A pattern of
/// options.ignore that no tensor has is a problem.
Translation translate(const WeightsFile& file, const std::vector<Dialect>& dialects,
                      const std::vector<Parameter>* parameters, const ConvertOptions& options);

}  // namespace shiftadd
