// What is known of a file or a folder, as JSON, and what is wrong with it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/error.h"

namespace shiftadd::tools {

struct Facts {
  nlohmann::ordered_json json;
  std::vector<std::string> problems;  // errors beside which something is known all the same

  /// Runs add(); its Error becomes a problem.
  template <class Add>
  void attempt(Add add) {
    try {
      add();
    } catch (const Error& error) {
      problems.emplace_back(error.what());
    }
  }
};

/// Of a checkpoint in one file or several, a model file, or a run's folder. `set` says what a
/// foreign checkpoint does not tell, "heads=3". Throws Error (user) for what is none of these, and
/// for a `set` of what says everything itself.
Facts facts_of(const std::string& path, const std::vector<std::string>& set = {});

/// Whether the folder is a run's of shiftadd-train, or holds those of its stages.
bool is_run(const std::string& folder);
Facts facts_of_run(const std::string& folder);

/// For people: a line a fact. Long lists are cut, and of an architecture the keys that are as usual
/// are left out; `tensors`: with a line for each tensor.
std::string text_of(const nlohmann::ordered_json& facts, bool tensors);

}  // namespace shiftadd::tools
