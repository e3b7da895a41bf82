// shiftadd-infer: classifies images with a model file, or evaluates it on a labelled set.
#include <CLI/CLI.hpp>

#include "core/error.h"
#include "core/parallel.h"
#include "tools/infer/classify.h"
#include "tools/infer/evaluate.h"
#include "tools/infer/features.h"
#include "tools/program.h"
#include "tools/stop_signals.h"

namespace shiftadd::tools {
namespace {

Outputs outputs_of(const InferOptions& options) {
  Outputs outputs("shiftadd-infer");
  outputs.input("MODEL", options.model);
  for (const std::string& path : options.images) {
    if (path == "-")
      outputs.standard_input();
    else
      outputs.input("image", path);
  }
  outputs.input("--eval", options.eval);
  outputs.file("--confusion", options.confusion);
  outputs.file("--dump", options.dump);
  outputs.file("--routing", options.routing);
  return outputs;
}

void declare(CLI::App& app, InferOptions& options) {
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
  app.add_flag("--features", options.features,
               "Print what the head reads of each image, or would: FILE, a tab and the numbers");
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
  app.add_option(
         "--dump", options.dump,
         "Write tensors: input and logits (or features) of the images; with --eval logits and "
         "labels")
      ->option_text("FILE.safetensors");
  app.add_option("--routing", options.routing,
                 "Draw, over the one image, which patches each router sent to Mult and to Shift")
      ->option_text("FILE.png");
  app.add_option("--device", options.device,
                 "Where to compute; auto is cuda where there is such a device, else cpu [auto]")
      ->option_text("cpu|cuda|cuda:N|auto");
}

// Throws Error for options that contradict each other.
void check(const InferOptions& options) {
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
}

int run(int argc, char** argv) {
  CLI::App app(
      "Classifies images with a model file, or evaluates it on a labelled set.\n"
      "Exit status: 0, 2 when an image or an argument was bad, 1 after a failure; 130, 143 and 129 "
      "after Ctrl-C, SIGTERM and SIGHUP.",
      "shiftadd-infer");
  InferOptions options;
  declare(app, options);
  if (const auto status = parse_arguments(app, argc, argv)) return *status;

  return run_program("shiftadd-infer", [&] {
    check(options);
    for (const char* other : {"--eval", "--top-k", "--routing"})
      if (options.features && app.count(other))
        throw user_error("--features prints what the head reads, and no classes: ", other,
                         " is of no use here");
    Outputs outputs = outputs_of(options);
    outputs.check();
    set_num_threads(options.threads);
    stop_soon("shiftadd-infer");
    try {
      if (options.features) return print_features(options, outputs);
      return options.eval.empty() ? classify(options, outputs) : evaluate(options, outputs);
    } catch (const Error&) {
      if (stop_signal()) return finish(0, outputs);  // the signal cut a list or a file short
      throw;
    }
  });
}

}  // namespace
}  // namespace shiftadd::tools

int main(int argc, char** argv) { return shiftadd::tools::run(argc, argv); }
