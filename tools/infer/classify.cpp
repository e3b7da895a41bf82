// Classifies images, prints the predictions and writes what was asked for.
#include "tools/infer/classify.h"

#include <unistd.h>

#include <iostream>

#include "core/error.h"
#include "core/io/files.h"
#include "data/encode.h"
#include "data/list_images.h"
#include "data/preprocess.h"
#include "infer/predictions.h"
#include "infer/routing_counts.h"
#include "tools/report/predictions.h"
#include "tools/report/routing.h"
#include "tools/report/routing_picture.h"
#include "tools/stop_signals.h"

namespace shiftadd::tools {
namespace {

void require_router(const InferOptions& options, const infer::Session& session) {
  if (session.routers().empty())
    throw user_error(options.model,
                     ": no router to draw for --routing: no layer of this network is a mixture, "
                     "which would send each token to Mult or Shift");
}

// --routing: the photograph with what each router chose, as PNG.
std::vector<uint8_t> routing_png(const infer::Session& session, const infer::Answer& answer) {
  const infer::Prediction best = infer::top_k(answer.logits, session.spec().classes, 1).front();
  return data::encode_png(
      draw_routing({.photograph = data::image_of(answer.pixels, session.preprocess()),
                    .routers = session.routers(),
                    .choices = std::vector<uint8_t>(
                        answer.choices, answer.choices + routed_tokens(session.routers())),
                    .answer = printed_names(session.classes(), session.spec().classes)[best.index],
                    .probability = best.probability}));
}

}  // namespace

int classify(const InferOptions& options, Outputs& outputs) {
  const std::vector<std::string> paths = data::list_images(options.images, std::cin, note);
  if (!options.routing.empty() && paths.size() != 1)
    throw user_error("--routing draws one image: ", paths.size(), " were named");
  for (const std::string& path : paths) outputs.input("image", path);
  outputs.check();
  infer::Session session = open_model(options);
  if (!options.routing.empty()) require_router(options, session);
  const ModelSpec& spec = session.spec();
  infer::RoutingCounts routing(session.routers());
  PredictionWriter writer(std::cout, printed_names(session.classes(), spec.classes), options.json);
  // On a terminal the predictions themselves show how far it is.
  RunProgress progress("images", "", static_cast<int64_t>(paths.size()),
                       paths.size() > 1 && !isatty(STDOUT_FILENO) ? RunProgress::Lines::kLate
                                                                  : RunProgress::Lines::kNone);
  Rows inputs, logits;
  std::vector<std::string> names;
  std::vector<uint8_t> picture;
  const Shape image_shape = {spec.in_channels, spec.image_size.height, spec.image_size.width};
  infer::ImageRun run = image_run(options, progress);
  run.answer = [&](const infer::Answer& answer) {
    infer::RoutingCounts own(session.routers());
    own.add(answer.choices);
    routing.add(answer.choices);
    writer.prediction(paths[answer.item], infer::top_k(answer.logits, spec.classes, options.top_k),
                      own);
    if (!options.routing.empty()) picture = routing_png(session, answer);
    if (options.dump.empty()) return;
    inputs.add(planes_of(session, answer).data(), spec.image_values());
    logits.add(answer.logits, spec.classes);
    names.push_back(paths[answer.item]);
  };
  run.broken = [&, say = run.broken](const data::ImageBatch::Broken& image) {
    say(image);
    writer.broken(paths[image.item], image.reason);
  };
  const int64_t broken = infer::run_images(session, data::source_of_files(paths), run);
  progress.wipe();
  writer.finish();
  if (!options.json) print_routing(std::cout, routing);
  std::cout.flush();
  if (stop_signal()) return finish(broken, outputs);
  if (!picture.empty())
    outputs.write(options.routing, [&] {
      write_file(options.routing, {reinterpret_cast<const char*>(picture.data()), picture.size()});
    });
  if (!options.dump.empty() && !names.empty())
    write_dump(options, outputs, names,
               {{"input", inputs.tensor(image_shape)}, {"logits", logits.tensor({spec.classes})}});
  return finish(broken, outputs);
}

}  // namespace shiftadd::tools
