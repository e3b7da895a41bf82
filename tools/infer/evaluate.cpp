// Evaluates a model on a labelled set, prints the figures and writes what was asked for.
#include "tools/infer/evaluate.h"

#include <chrono>
#include <iostream>

#include "core/error.h"
#include "core/evaluation.h"
#include "core/io/files.h"
#include "data/dataset.h"
#include "infer/routing_counts.h"
#include "tools/report/evaluation.h"
#include "tools/report/predictions.h"
#include "tools/stop_signals.h"

namespace shiftadd::tools {

int evaluate(const InferOptions& options, Outputs& outputs) {
  const data::ImageFolder images = data::ImageFolder::open(options.eval);
  for (const std::string& line : images.notes()) note(line);
  infer::Session session = open_model(options);
  const int64_t classes = session.spec().classes;
  const infer::LabelledSet set = infer::labelled(session, images, options.eval);
  if (const auto given = static_cast<int64_t>(images.classes().size()); given < classes)
    note(concat(options.eval, " has ", given, " of the model's ", classes, " classes"));
  std::vector<std::string> names = printed_names(session.classes(), classes);
  if (session.classes().empty())
    for (std::size_t i = 0; i < set.classes.size(); ++i)
      names[set.classes[i]] = images.classes()[i];
  RunProgress progress("evaluating", options.eval, images.size(), RunProgress::Lines::kAll);
  infer::RoutingCounts routing(session.routers());
  Rows logits;
  std::vector<int64_t> labels;
  std::vector<std::string> dumped;
  const auto start = std::chrono::steady_clock::now();
  infer::ImageRun run = image_run(options, progress);
  run.answer = [&](const infer::Answer& answer) {
    routing.add(answer.choices);
    if (options.dump.empty()) return;
    logits.add(answer.logits, classes);
    labels.push_back(set.label(answer.item));
    dumped.push_back(images.name(answer.item));
  };
  const infer::EvaluatedSet result = infer::evaluate(session, set, run);
  progress.wipe();
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (stop_signal()) return finish(result.broken, outputs);
  print_evaluation(std::cout, result.answers, names,
                   {options.eval, result.broken, options.threads, seconds, routing}, options.json);
  std::cout.flush();
  if (!options.confusion.empty())
    outputs.write(options.confusion,
                  [&] { write_file(options.confusion, result.answers.confusion_csv(names)); });
  if (!options.dump.empty())
    write_dump(options, outputs, dumped,
               {{"logits", logits.tensor({classes})},
                {"labels", Tensor::from(labels, {static_cast<int64_t>(labels.size())})}});
  return finish(result.broken, outputs);
}

}  // namespace shiftadd::tools
