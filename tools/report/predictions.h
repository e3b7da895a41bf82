// The classes that a network predicts for images, as a table for people or JSON for programs.
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "infer/predictions.h"
#include "infer/routing_counts.h"
#include "tools/report/json_array.h"

namespace shiftadd::tools {

/// The names to print: the model's, or its indices.
std::vector<std::string> printed_names(const std::vector<std::string>& names, int64_t classes);

/// Prints predictions image by image: blocks of a table, or one JSON array with an object a line.
class PredictionWriter {
 public:
  PredictionWriter(std::ostream& out, std::vector<std::string> names, bool json);

  /// routing: of this image alone; printed as JSON where the network has routers.
  void prediction(const std::string& image, const std::vector<infer::Prediction>& best,
                  const infer::RoutingCounts& routing);
  void broken(const std::string& image, const std::string& reason);
  void finish();

 private:
  std::ostream& out_;
  std::vector<std::string> names_;
  std::optional<JsonArray> json_;
};

}  // namespace shiftadd::tools
