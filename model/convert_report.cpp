// Writes the report of a conversion as text and as JSON.
#include <iomanip>
#include <nlohmann/json.hpp>

#include "model/convert.h"

namespace shiftadd {
namespace {

constexpr TensorStatus kStatuses[] = {TensorStatus::kUsed, TensorStatus::kRenamed,
                                      TensorStatus::kReshaped, TensorStatus::kMissing,
                                      TensorStatus::kUnused};

}  // namespace

std::string report_text(const Conversion& conversion) {
  std::ostringstream out;
  for (const TensorReport& entry : conversion.report) {
    out << std::left << std::setw(9) << name_of(entry.status) << ' ' << entry.name << ' '
        << entry.shape;
    if (!entry.source.empty() && entry.source != entry.name) out << " <- " << entry.source;
    if (!entry.source.empty() && entry.source_shape != entry.shape)
      out << ' ' << entry.source_shape;
    if (!entry.note.empty()) out << ": " << entry.note;
    out << '\n';
  }
  const char* separator = "";
  for (TensorStatus status : kStatuses) {
    out << separator << conversion.count(status) << ' ' << name_of(status);
    separator = ", ";
  }
  out << '\n';
  return out.str();
}

nlohmann::ordered_json report_json(const Conversion& conversion) {
  nlohmann::ordered_json tensors = nlohmann::ordered_json::array();
  for (const TensorReport& entry : conversion.report) {
    nlohmann::ordered_json row = {{"status", name_of(entry.status)}, {"name", entry.name}};
    if (!entry.source.empty()) row["source"] = entry.source;
    row["shape"] = entry.shape;
    if (!entry.source.empty()) row["source_shape"] = entry.source_shape;
    if (!entry.note.empty()) row["note"] = entry.note;
    tensors.push_back(std::move(row));
  }
  nlohmann::ordered_json counts;
  for (TensorStatus status : kStatuses) counts[name_of(status)] = conversion.count(status);
  return {{"prefix", conversion.prefix},
          {"counts", counts},
          {"problems", conversion.problems},
          {"tensors", tensors}};
}

}  // namespace shiftadd
