// Opens the model, ends early at a stop signal, and writes what was collected.
#include "tools/infer/run.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/io/json_text.h"
#include "core/io/safetensors.h"
#include "data/decode_header.h"
#include "data/preprocess.h"
#include "tools/stop_signals.h"

namespace shiftadd::tools {
namespace {

// Throws Error (user) for what people name in a model's place: a run's folder, an image.
void require_model(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (fs::is_directory(path, ignored))
    throw user_error(path, ": a folder: expected a model file",
                     fs::exists(path + "/model.safetensors", ignored)
                         ? "; did you mean " + path + "/model.safetensors?"
                         : "");
  if (!fs::is_regular_file(path, ignored)) return;
  std::array<uint8_t, 8> first = {};
  std::ifstream(path).read(reinterpret_cast<char*>(first.data()), first.size());
  if (data::file_kind(first))
    throw user_error(path, ": an image: expected a model file first, then images");
}

}  // namespace

infer::Session open_model(const InferOptions& options) {
  const infer::DeviceChoice device = infer::device_choice(options.device);
  require_model(options.model);
  ModelFile model = load_any_model(options.model);
  if (options.features && model.spec.classes > 0) model = without_head(std::move(model));
  infer::Session session(std::move(model), device);
  if (!options.features && session.spec().classes == 0)
    throw user_error(options.model, ": the network has no head, and so no classes: --features ",
                     "prints what it makes of an image; fine-tuning gives it a head");
  infer::require_images(session, options.model);
  return session;
}

void note(const std::string& line) { std::cerr << "shiftadd-infer: " << line << std::endl; }

void Rows::add(const float* values, int64_t count) {
  values_.insert(values_.end(), values, values + count);
}

Tensor Rows::tensor(Shape row) const {
  const int64_t width = element_count(row);
  row.insert(row.begin(), static_cast<int64_t>(values_.size()) / width);
  return Tensor::from(values_, row);
}

std::vector<float> planes_of(const infer::Session& session, const infer::Answer& answer) {
  std::vector<float> planes(static_cast<std::size_t>(session.preprocess().values()));
  data::normalise(answer.pixels, session.preprocess(), planes.data());
  return planes;
}

infer::ImageRun image_run(const InferOptions& options, RunProgress& progress) {
  infer::ImageRun run = {.model = options.model};
  run.batch = options.batch;
  run.workers = options.workers ? options.workers : options.threads;
  run.limits = options.limits;
  run.choices = true;
  run.broken = [&progress](const data::ImageBatch::Broken& image) {
    progress.wipe();
    std::cerr << "shiftadd-infer: error: " << image.reason << std::endl;
  };
  run.progress = [&progress](int64_t done) { progress.update(done); };
  run.stopped = [] { return stop_signal() != 0; };
  return run;
}

int finish(int64_t broken, const Outputs& outputs) {
  if (stop_signal()) {
    std::cout.flush();
    std::cerr << message_start() << "shiftadd-infer: interrupted" << std::endl;
    return status_after(stop_signal());
  }
  return outputs.status() ? outputs.status() : broken ? 2 : 0;
}

void write_dump(const InferOptions& options, Outputs& outputs,
                const std::vector<std::string>& names,
                std::vector<std::pair<std::string, Tensor>> tensors) {
  TensorFile file;
  file.tensors = std::move(tensors);
  file.metadata["images"] = json_text(nlohmann::ordered_json(names));
  outputs.write(options.dump, [&] { write_safetensors(options.dump, file); });
}

}  // namespace shiftadd::tools
