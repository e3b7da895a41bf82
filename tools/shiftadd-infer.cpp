// shiftadd-infer: classifies images with a model file, or evaluates it on a labelled set.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "core/evaluation.h"
#include "core/io/files.h"
#include "core/io/safetensors.h"
#include "core/model/class_names.h"
#include "core/parallel.h"
#include "core/progress.h"
#include "data/dataset.h"
#include "data/encode.h"
#include "data/preprocess.h"
#include "infer/image_stream.h"
#include "infer/inputs.h"
#include "infer/predictions.h"
#include "infer/routing_counts.h"
#include "infer/routing_picture.h"
#include "infer/session.h"
#include "tools/infer_report.h"
#include "tools/program.h"

namespace shiftadd::tools {
namespace {

constexpr int kInterrupted = 130;
volatile std::sig_atomic_t interrupted = 0;

// The first Ctrl-C ends the run after the current batch; a second one ends the process at once.
void watch_interrupts() {
  struct sigaction action = {};
  action.sa_handler = [](int) { interrupted = 1; };
  action.sa_flags = SA_RESETHAND;
  sigaction(SIGINT, &action, nullptr);
}

struct Options {
  std::string model;
  std::vector<std::string> images;
  std::string eval, confusion, dump, routing, device = "auto";
  int64_t top_k = 5, batch = 32;
  data::DecodeLimits limits;
  int threads = available_cores(), workers = 0;
  bool json = false;
};

// Rows of float32 collected for --dump.
class Rows {
 public:
  void add(const float* values, int64_t count) {
    values_.insert(values_.end(), values, values + count);
  }
  Tensor tensor(Shape row) const {
    const int64_t width = element_count(row);
    row.insert(row.begin(), static_cast<int64_t>(values_.size()) / width);
    return Tensor::from(values_, row);
  }

 private:
  std::vector<float> values_;
};

infer::Session open_model(const Options& options) {
  infer::Session session(load_any_model(options.model));
  infer::require_images(session, options.model);
  return session;
}

// How far a long run is, on stderr: a bar on a terminal, elsewhere a line every ten seconds.
class RunProgress {
 public:
  RunProgress(int64_t total, bool wanted)
      : display_([](std::string_view text) { std::cerr << text << std::flush; }, isatty(2)),
        total_(total),
        wanted_(wanted) {}
  ~RunProgress() { display_.wipe(); }
  void wipe() { display_.wipe(); }
  void update(int64_t done) {
    if (!wanted_) return;
    const double now = seconds();
    const double speed = static_cast<double>(done) / std::max(now, 1e-9);
    const double left = static_cast<double>(total_ - done) / std::max(speed, 1e-9);
    char text[120];
    std::snprintf(text, sizeof text, " %lld/%lld %.1f img/s ETA ", static_cast<long long>(done),
                  static_cast<long long>(total_), speed);
    if (display_.terminal())
      display_.draw(bar_text(done, total_) + text + duration_text(left), now, done == total_);
    else if (now - line_at_ >= 10)
      line_at_ = now, display_.line("images" + (text + duration_text(left)));
  }

 private:
  using Clock = std::chrono::steady_clock;
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  Progress display_;
  int64_t total_;
  bool wanted_;
  Clock::time_point start_ = Clock::now();
  double line_at_ = 0;
};

// What a session says of one image.
struct Row {
  int64_t item;
  const float *pixels, *logits;
  const uint8_t* choices;  // (routers, tokens)
};

// Runs all images of `source` through the session. Calls each(Row) for every image in order, and
// broken(item, reason) for each that cannot be read. Returns how many were broken.
template <class Each, class Broken>
int64_t run_all(infer::Session& session, const infer::ImageSource& source, const Options& options,
                RunProgress& progress, Each each_row, Broken broken) {
  const int workers = options.workers ? options.workers : options.threads;
  infer::ImageStream stream(source, session.preprocess(), options.batch, workers, options.limits);
  const int64_t classes = session.spec().classes;
  std::vector<float> logits(options.batch * classes);
  const int64_t image_choices =
      static_cast<int64_t>(session.routers().size()) * session.spec().tokens();
  std::vector<uint8_t> choices(options.batch * image_choices);
  int64_t done = 0, broken_count = 0;
  while (!interrupted) {
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
    for (int64_t i = 0; i < rows; ++i)
      each_row(Row{batch->items[i], pixels + i * values, logits.data() + i * classes,
                   choices.data() + i * image_choices});
    broken_count += static_cast<int64_t>(batch->broken.size());
    done += rows + static_cast<int64_t>(batch->broken.size());
    progress.update(done);
  }
  progress.wipe();
  return broken_count;
}

int finish(int64_t broken) {
  if (interrupted) {
    std::cout.flush();
    std::cerr << "shiftadd-infer: interrupted" << std::endl;
    return kInterrupted;
  }
  return broken ? 2 : 0;
}

void write_dump(const Options& options, const std::vector<std::string>& names,
                std::vector<std::pair<std::string, Tensor>> tensors) {
  TensorFile file;
  file.tensors = std::move(tensors);
  file.metadata["images"] = json_text(nlohmann::ordered_json(names));
  write_safetensors(options.dump, file);
}

void require_router(const Options& options, const infer::Session& session) {
  if (session.routers().empty())
    throw user_error(options.model,
                     ": no router to draw for --routing: no layer of this network is a mixture, "
                     "which would send each token to Mult or Shift");
}

void write_routing(const Options& options, const infer::Session& session, const Row& row) {
  const int64_t tokens = session.spec().tokens();
  const auto routers = static_cast<int64_t>(session.routers().size());
  const infer::Prediction best = infer::top_k(row.logits, session.spec().classes, 1).front();
  const data::Image picture = infer::draw_routing(
      {.photograph = data::denormalise(row.pixels, session.preprocess()),
       .grid = session.spec().grid(),
       .routers = session.routers(),
       .choices = std::vector<uint8_t>(row.choices, row.choices + routers * tokens),
       .answer = printed_names(session.classes(), session.spec().classes)[best.index],
       .probability = best.probability});
  const std::vector<uint8_t> png = data::encode_png(picture);
  write_file(options.routing, {reinterpret_cast<const char*>(png.data()), png.size()});
}

int classify(const Options& options) {
  const std::vector<std::string> paths = infer::list_images(options.images, std::cin);
  if (!options.routing.empty() && paths.size() != 1)
    throw user_error("--routing draws one image: ", paths.size(), " were named");
  std::error_code missing;
  if (!options.routing.empty() && std::filesystem::equivalent(options.routing, paths[0], missing))
    throw user_error("--routing ", options.routing,
                     " is the image itself: give the picture another name");
  infer::Session session = open_model(options);
  if (!options.routing.empty()) require_router(options, session);
  const ModelSpec& spec = session.spec();
  infer::RoutingCounts routing(session.routers(), spec.tokens());
  PredictionWriter writer(std::cout, printed_names(session.classes(), spec.classes), options.json);
  // On a terminal the predictions themselves show how far it is.
  RunProgress progress(static_cast<int64_t>(paths.size()),
                       paths.size() > 1 && !isatty(STDOUT_FILENO));
  Rows inputs, logits;
  std::vector<std::string> names;
  const Shape image_shape = {3, spec.image_size, spec.image_size};
  const int64_t broken = run_all(
      session, infer::source_of_files(paths), options, progress,
      [&](const Row& row) {
        infer::RoutingCounts own(session.routers(), spec.tokens());
        own.add(row.choices);
        routing.add(row.choices);
        writer.prediction(paths[row.item], infer::top_k(row.logits, spec.classes, options.top_k),
                          own);
        if (!options.routing.empty()) write_routing(options, session, row);
        if (options.dump.empty()) return;
        inputs.add(row.pixels, element_count(image_shape));
        logits.add(row.logits, spec.classes);
        names.push_back(paths[row.item]);
      },
      [&](int64_t item, const std::string& reason) { writer.broken(paths[item], reason); });
  writer.finish();
  if (!options.json) print_routing(std::cout, routing);
  if (!options.dump.empty() && !interrupted)
    write_dump(options, names,
               {{"input", inputs.tensor(image_shape)}, {"logits", logits.tensor({spec.classes})}});
  return finish(broken);
}

int evaluate(const Options& options) {
  const data::ImageFolder set = data::ImageFolder::open(options.eval);
  infer::Session session = open_model(options);
  const int64_t classes = session.spec().classes;
  const std::vector<int64_t> indices =
      match_classes(session.classes(), session.class_ids(), classes, set.classes(), options.eval);
  if (const auto given = static_cast<int64_t>(set.classes().size()); given < classes)
    std::cerr << "shiftadd-infer: " << options.eval << " has " << given << " of the model's "
              << classes << " classes\n";
  std::vector<std::string> names = printed_names(session.classes(), classes);
  if (session.classes().empty())
    for (std::size_t i = 0; i < indices.size(); ++i) names[indices[i]] = set.classes()[i];
  RunProgress progress(set.size(), true);
  Evaluation evaluation(classes);
  infer::RoutingCounts routing(session.routers(), session.spec().tokens());
  Rows logits;
  std::vector<int64_t> labels;
  std::vector<std::string> dumped;
  const auto start = std::chrono::steady_clock::now();
  const int64_t broken = run_all(
      session, infer::source_of_set(set), options, progress,
      [&](const Row& row) {
        const int64_t label = indices[set.label(row.item)];
        evaluation.add(row.logits, label);
        routing.add(row.choices);
        if (options.dump.empty()) return;
        logits.add(row.logits, classes);
        labels.push_back(label);
        dumped.push_back(set.name(row.item));
      },
      [](int64_t, const std::string&) {});
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (interrupted) return finish(broken);
  if (!options.confusion.empty()) write_file(options.confusion, evaluation.confusion_csv(names));
  if (!options.dump.empty())
    write_dump(options, dumped,
               {{"logits", logits.tensor({classes})},
                {"labels", Tensor::from(labels, {static_cast<int64_t>(labels.size())})}});
  print_evaluation(std::cout, evaluation, names,
                   {options.eval, broken, options.threads, seconds, routing}, options.json);
  return finish(broken);
}

int run(int argc, char** argv) {
  CLI::App app(
      "Classifies images with a model file, or evaluates it on a labelled set.\n"
      "Exit status: 0, 2 when an image or an argument was bad, 1 after a failure, 130 after "
      "Ctrl-C.",
      "shiftadd-infer");
  Options options;
  app.add_option("model", options.model, "A model file of shiftadd-train or shiftadd-convert")
      ->required()
      ->option_text("MODEL");
  app.add_option(
         "images", options.images,
         "Images, folders (searched for images), or - for a list on standard input, one a line")
      ->option_text("[IMAGE|DIR|-]...");
  app.add_option("--eval", options.eval,
                 "Evaluate on a folder of class folders, or such a tree in a .tar")
      ->option_text("DIR|TAR");
  app.add_option("--top-k", options.top_k, "How many classes to print for an image [5]")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000}))
      ->option_text("N");
  app.add_flag("--json", options.json,
               "Print JSON: an array with one object an image, or one object for --eval");
  app.add_option("--threads", options.threads, "Threads that compute [all cores]")
      ->check(CLI::Range(1, 1024))
      ->option_text("N");
  app.add_option("--workers", options.workers, "Threads that decode images [as many as --threads]")
      ->check(CLI::Range(1, 1024))
      ->option_text("N");
  app.add_option("--batch", options.batch, "Images a batch; changes no result [32]")
      ->check(CLI::Range(int64_t{1}, int64_t{65'536}))
      ->option_text("N");
  app.add_option("--max-pixels", options.limits.max_pixels,
                 "Refuse larger images (width times height) [89478485]; decoding takes at most 512 "
                 "MiB in any case")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000'000}))
      ->option_text("N");
  app.add_option("--confusion", options.confusion, "With --eval: write the confusion matrix as CSV")
      ->option_text("FILE.csv");
  app.add_option("--dump", options.dump,
                 "Write tensors: input and logits of the images; with --eval logits and labels")
      ->option_text("FILE.safetensors");
  app.add_option("--routing", options.routing,
                 "Draw, over the one image, which patches each router sent to Mult and to Shift")
      ->option_text("FILE.png");
  app.add_option("--device", options.device, "Where to compute: cpu, cuda or auto [auto]")
      ->check(CLI::IsMember({"cpu", "cuda", "auto"}))
      ->option_text("cpu|cuda|auto");
  if (const auto status = parse_arguments(app, argc, argv)) return *status;

  return run_program("shiftadd-infer", [&] {
    if (options.device == "cuda")
      throw failure("--device cuda: CUDA is not built into this version; use --device cpu");
    if (options.eval.empty() == options.images.empty())
      throw user_error(options.eval.empty()
                           ? "nothing to do: name an image, a folder or -, or give --eval"
                           : "--eval takes its images from the set: name no other images");
    if (!options.confusion.empty() && options.eval.empty())
      throw user_error("--confusion needs --eval: only a labelled set has a confusion matrix");
    if (!options.routing.empty() && options.images.empty())
      throw user_error("--routing draws one image: name it in place of --eval");
    if (!options.routing.empty() && !options.routing.ends_with(".png"))
      throw user_error("--routing ", options.routing, ": the picture is a PNG: name it ....png");
    set_num_threads(options.threads);
    watch_interrupts();
    try {
      return options.eval.empty() ? classify(options) : evaluate(options);
    } catch (const Error&) {
      if (interrupted) return finish(0);  // the signal cut a list or a file short
      throw;
    }
  });
}

}  // namespace
}  // namespace shiftadd::tools

int main(int argc, char** argv) { return shiftadd::tools::run(argc, argv); }
