// Runs images through a session batch by batch, and ends early at a stop signal.
#include "tools/infer/run.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/io/json_text.h"
#include "core/io/safetensors.h"
#include "data/decode_header.h"
#include "infer/predictions.h"
#include "tools/stop_signals.h"

namespace shiftadd::tools {

volatile std::sig_atomic_t stop_signal = 0;

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
  require_model(options.model);
  infer::Session session(load_any_model(options.model));
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

int64_t run_all(infer::Session& session, const data::ImageSource& source,
                const InferOptions& options, RunProgress& progress,
                const std::function<void(const Row&)>& each_row,
                const std::function<void(int64_t, const std::string&)>& broken) {
  const int workers = options.workers ? options.workers : options.threads;
  data::ImageStream stream(source, session.preprocess(), options.batch, workers, options.limits);
  const int64_t classes = session.spec().classes;
  const int64_t most = std::min(options.batch, source.count);  // images a batch
  std::vector<float> logits(most * classes);
  const int64_t image_choices = routed_tokens(session.routers());
  std::vector<uint8_t> choices(most * image_choices);
  int64_t done = 0, broken_count = 0;
  while (!stop_signal) {
    const auto batch = stream.next();
    if (!batch) break;
    const auto rows = static_cast<int64_t>(batch->items.size());
    const float* pixels = batch->images.data<float>();
    session.run(pixels, rows, logits.data(), choices.data());
    const int64_t values = rows ? batch->images.numel() / rows : 0;
    for (const auto& each : batch->broken) {
      progress.wipe();
      std::cerr << "shiftadd-infer: error: " << each.reason << std::endl;
      broken(each.item, each.reason);
    }
    for (int64_t i = 0; i < rows; ++i) {
      infer::require_finite(logits.data() + i * classes, classes, options.model,
                            source.name(batch->items[i]));
      each_row(Row{batch->items[i], pixels + i * values, logits.data() + i * classes,
                   choices.data() + i * image_choices});
    }
    broken_count += static_cast<int64_t>(batch->broken.size());
    done += rows + static_cast<int64_t>(batch->broken.size());
    progress.update(done);
  }
  progress.wipe();
  return broken_count;
}

void stop_soon() {
  constexpr unsigned kPatience = 10;
  name_stopped("shiftadd-infer");
  watch_stop_signals(
      [](int number) {
        stop_signal = number;
        alarm(kPatience);
      },
      SA_RESETHAND);
  std::signal(SIGALRM, [](int) { end_at_once(stop_signal); });
}

int finish(int64_t broken, const Outputs& outputs) {
  if (stop_signal) {
    std::cout.flush();
    std::cerr << message_start() << "shiftadd-infer: interrupted" << std::endl;
    return status_after(stop_signal);
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
