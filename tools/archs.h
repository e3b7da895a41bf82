// --list-archs: the networks that are known by name.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <string>

#include "core/model/model_spec.h"

namespace shiftadd::tools {

inline bool is_known_arch(const std::string& name) {
  const auto names = spec_names();
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// A line a network: its name, its parameters and the side of its images.
inline void print_archs(std::ostream& out) {
  std::size_t width = 0;
  for (const std::string& name : spec_names()) width = std::max(width, name.size());
  const auto row = [&](const auto& name, const auto& parameters, const auto& size) {
    out << std::left << std::setw(static_cast<int>(width)) << name << std::right << std::setw(14)
        << parameters << std::setw(14) << size << "\n";
  };
  row("name", "parameters", "image size");
  for (const std::string& name : spec_names()) {
    const ModelSpec spec = named_spec(name);
    row(name, count_parameters(spec), concat(spec.image_size, "x", spec.image_size));
  }
  out << "Any other network is described by a JSON file; see configs/models.\n";
}

/// Gives `app` the option --list-archs, which needs no other.
inline void add_list_archs(CLI::App& app) {
  app.add_flag_callback(
      "--list-archs",
      [] {
        print_archs(std::cout);
        throw CLI::Success();
      },
      "List the known networks with their parameters and image size");
}

}  // namespace shiftadd::tools
