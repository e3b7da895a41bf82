// Several runs side by side.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "train/reporter.h"
#include "train/run_result.h"

namespace shiftadd::train {

/// A row of the comparison: one run, or several that differ in their seeds alone.
struct RunGroup {
  std::string name;
  std::vector<RunResult> seeds;  // at least one
};

/// Throws Error (user) where a group has not as many seeds as the first.
void require_equal_seeds(const std::vector<RunGroup>& groups);

/// A Markdown table of at most 100 columns, aligned for a terminal, one row a group, and what its
/// columns mean, and which weights were measured. The first group is what the others are compared
/// with: difference of top-1 in points with its 95 % interval (paired, image by image),
/// multiplications and energy in percent of its own. Of several seeds all figures are means, and
/// the i-th run is paired with the i-th of the first group; a line below the table says what each
/// came to. Of names that are too long the end is shown. Throws Error (user) when runs were
/// evaluated on different images, and as require_equal_seeds does.
std::string compare_results(const std::vector<RunGroup>& groups);

/// What FOLDER/model.safetensors, the model of the run `trained`, comes to on other labelled
/// images; nothing when `stop` became true on the way. Throws Error (user) where the folder holds
/// another model, or the images have classes that it does not know.
std::optional<RunResult> evaluate_run(const std::string& folder, const RunResult& trained,
                                      const data::ImageFolder& images, Reporter& reporter,
                                      const std::atomic<bool>& stop);

}  // namespace shiftadd::train
