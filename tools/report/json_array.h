// A JSON array that is printed while its objects are still being made, one a line.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <ostream>

namespace shiftadd::tools {

class JsonArray {
 public:
  explicit JsonArray(std::ostream& out);
  void add(const nlohmann::ordered_json& object);
  void finish();

 private:
  std::ostream& out_;
  bool first_ = true;
};

}  // namespace shiftadd::tools
