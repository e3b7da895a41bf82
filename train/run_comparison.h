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

/// What a row of several runs is called: "runs/add_s*" of runs/add_s1 and runs/add_s2; where their
/// names differ in more than a part of one folder's, "runs/add and 1 more".
std::string group_name(const std::vector<RunResult>& seeds);

/// Throws Error (user) where a group has not as many seeds as the first, or, of groups of several,
/// where the i-th run has another seed than the i-th of the first group. Two single runs may have
/// two seeds.
void require_equal_seeds(const std::vector<RunGroup>& groups);

/// A Markdown table of at most 100 columns, aligned for a terminal, one row a group, and what its
/// columns mean, and which weights were measured. The first group is what the others are compared
/// with: difference of top-1 in points with its 95 % interval (paired, image by image),
/// multiplications and energy in percent of its own. Of several seeds all figures are means, and
/// the i-th run is paired with the i-th of the first group; a line below the table says what each
/// came to, and how far the seeds' own differences leave their mean open: the interval in the table
/// is over images alone. The folders that all names lie in are left out, and of names that are too
/// long still the end is shown; they stand below the table in full. A line says where two runs of
/// different seeds are compared. Throws Error (user) when runs were evaluated on different images,
/// and as require_equal_seeds does.
std::string compare_results(const std::vector<RunGroup>& groups);

/// What FOLDER/model.safetensors, the model of the run `trained`, comes to on other labelled
/// images; nothing when `stop` became true on the way. Throws Error (user) where the folder holds
/// another model, or the images have classes that it does not know.
std::optional<RunResult> evaluate_run(const std::string& folder, const RunResult& trained,
                                      const data::ImageFolder& images, Reporter& reporter,
                                      const std::atomic<bool>& stop);

}  // namespace shiftadd::train
