// Collects and writes the manifest.
#include "train/manifest.h"

#include <ctime>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/cpu/cpu_name.h"
#include "core/io/files.h"
#include "core/io/json_text.h"
#include "core/parallel.h"
#include "data/decode.h"
#include "train/training_step.h"

namespace shiftadd::train {

using nlohmann::ordered_json;

namespace {

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

ordered_json describe(const data::ImageFolder& set) {
  return {{"path", set.path()}, {"images", set.size()}, {"digest", set.digest()}};
}

ordered_json earlier_sessions(const std::string& path) {
  if (!std::filesystem::exists(path)) return ordered_json::array();
  const ordered_json old = ordered_json::parse(read_text(path), nullptr, false);
  return old.is_object() && old.contains("sessions") ? old["sessions"] : ordered_json::array();
}

}  // namespace

void write_manifest(const std::string& folder, const TrainConfig& config, const RunData& data,
                    const std::string& version, int64_t first_step) {
  const std::string path = folder + "/manifest.json";
  ordered_json sessions = first_step > 0 ? earlier_sessions(path) : ordered_json::array();
  sessions.push_back({{"started", utc_now()},
                      {"first_step", first_step},
                      {"version", version},
                      {"commit", build_commit()},
                      {"cpu", cpu_name()},
                      {"instruction_set", kernels_of(config.train)},
                      {"cores", available_cores()},
                      {"threads", num_threads()},
                      {"compiler", "gcc-compatible " __VERSION__},
                      {"jpeg_decoder", data::jpeg_decoder()}});
  const ordered_json manifest = {{"program", "shiftadd-train"},
                                 {"version", version},
                                 {"commit", build_commit()},
                                 {"seed", config.seed},
                                 {"config", parse_ordered_json(to_text(config))},
                                 {"data",
                                  {{"classes", data.train.classes()},
                                   {"train", describe(data.train)},
                                   {"val", describe(data.val)}}},
                                 {"sessions", sessions}};
  write_file(path, json_text(manifest, 2) + "\n");
}

std::optional<uint64_t> seed_of_run(const std::string& folder) {
  const std::string path = folder + "/manifest.json";
  if (!std::filesystem::is_regular_file(path)) return std::nullopt;
  const ordered_json manifest = ordered_json::parse(read_text(path), nullptr, false);
  if (!manifest.is_object() || !manifest.contains("seed")) return std::nullopt;
  const ordered_json& seed = manifest["seed"];
  return seed.is_number_unsigned() ? std::optional(seed.get<uint64_t>()) : std::nullopt;
}

}  // namespace shiftadd::train
