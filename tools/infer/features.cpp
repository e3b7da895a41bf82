// Runs images through the network up to its head, and prints what comes out.
#include "tools/infer/features.h"

#include <unistd.h>

#include <charconv>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/preprocess.h"
#include "data/list_images.h"
#include "tools/report/json_array.h"
#include "tools/stop_signals.h"

namespace shiftadd::tools {
namespace {

// Prints an image's features as soon as they are known.
class FeatureWriter {
 public:
  FeatureWriter(std::ostream& out, bool json) : out_(out) {
    if (json) json_.emplace(out);
  }

  void features(const std::string& file, const float* values, int64_t count) {
    if (json_) {
      nlohmann::ordered_json numbers = nlohmann::ordered_json::array();
      for (int64_t i = 0; i < count; ++i) numbers.push_back(shortest_decimal(values[i]));
      json_->add({{"file", file}, {"features", numbers}});
      return;
    }
    out_ << file;
    for (int64_t i = 0; i < count; ++i) {
      char text[32];
      *std::to_chars(text, text + sizeof text - 1, values[i]).ptr = '\0';
      out_ << (i ? ' ' : '\t') << text;
    }
    out_ << "\n";
  }
  void broken(const std::string& file, const std::string& reason) {
    if (json_) json_->add({{"file", file}, {"error", reason}});
  }
  void finish() {
    if (json_) json_->finish();
  }

 private:
  std::ostream& out_;
  std::optional<JsonArray> json_;
};

}  // namespace

int print_features(const InferOptions& options, Outputs& outputs) {
  const std::vector<std::string> paths = data::list_images(options.images, std::cin, note);
  for (const std::string& path : paths) outputs.input("image", path);
  outputs.check();
  infer::Session session = open_model(options);
  FeatureWriter writer(std::cout, options.json);
  RunProgress progress("images", "", static_cast<int64_t>(paths.size()),
                       paths.size() > 1 && !isatty(STDOUT_FILENO) ? RunProgress::Lines::kLate
                                                                  : RunProgress::Lines::kNone);
  Rows inputs, features;
  std::vector<std::string> names;
  const ModelSpec& spec = session.spec();
  infer::ImageRun run = image_run(options, progress);
  run.choices = false;
  run.answer = [&](const infer::Answer& answer) {
    writer.features(paths[answer.item], answer.logits, session.outputs());
    if (options.dump.empty()) return;
    inputs.add(planes_of(session, answer).data(), spec.image_values());
    features.add(answer.logits, session.outputs());
    names.push_back(paths[answer.item]);
  };
  run.broken = [&, say = run.broken](const data::ImageBatch::Broken& image) {
    say(image);
    writer.broken(paths[image.item], image.reason);
  };
  const int64_t broken = infer::run_images(session, data::source_of_files(paths), run);
  progress.wipe();
  writer.finish();
  std::cout.flush();
  if (!stop_signal() && !options.dump.empty() && !names.empty())
    write_dump(options, outputs, names,
               {{"input",
                 inputs.tensor({spec.in_channels, spec.image_size.height, spec.image_size.width})},
                {"features", features.tensor({session.outputs()})}});
  return finish(broken, outputs);
}

}  // namespace shiftadd::tools
