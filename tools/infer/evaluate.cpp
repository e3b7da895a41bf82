// Evaluates a model on a labelled set, prints the figures and writes what was asked for.
#include "tools/infer/evaluate.h"

#include <chrono>
#include <iostream>

#include "core/class_names.h"
#include "core/error.h"
#include "core/evaluation.h"
#include "core/io/files.h"
#include "data/dataset.h"
#include "infer/routing_counts.h"
#include "tools/report/evaluation.h"
#include "tools/report/predictions.h"

namespace shiftadd::tools {

int evaluate(const InferOptions& options, Outputs& outputs) {
  const data::ImageFolder set = data::ImageFolder::open(options.eval);
  for (const std::string& line : set.notes()) note(line);
  infer::Session session = open_model(options);
  const int64_t classes = session.spec().classes;
  const std::vector<int64_t> indices =
      match_classes(session.classes(), session.class_ids(), classes, set.classes(), options.eval);
  if (const auto given = static_cast<int64_t>(set.classes().size()); given < classes)
    note(concat(options.eval, " has ", given, " of the model's ", classes, " classes"));
  std::vector<std::string> names = printed_names(session.classes(), classes);
  if (session.classes().empty())
    for (std::size_t i = 0; i < indices.size(); ++i) names[indices[i]] = set.classes()[i];
  RunProgress progress("evaluating", options.eval, set.size(), RunProgress::Lines::kAll);
  Evaluation evaluation(classes);
  infer::RoutingCounts routing(session.routers());
  Rows logits;
  std::vector<int64_t> labels;
  std::vector<std::string> dumped;
  const auto start = std::chrono::steady_clock::now();
  const int64_t broken = run_all(
      session, data::source_of_set(set), options, progress,
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
  if (stop_signal) return finish(broken, outputs);
  print_evaluation(std::cout, evaluation, names,
                   {options.eval, broken, options.threads, seconds, routing}, options.json);
  std::cout.flush();
  if (!options.confusion.empty())
    outputs.write(options.confusion,
                  [&] { write_file(options.confusion, evaluation.confusion_csv(names)); });
  if (!options.dump.empty())
    write_dump(options, outputs, dumped,
               {{"logits", logits.tensor({classes})},
                {"labels", Tensor::from(labels, {static_cast<int64_t>(labels.size())})}});
  return finish(broken, outputs);
}

}  // namespace shiftadd::tools
