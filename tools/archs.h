// The networks that are known by name.
#pragma once

#include <ostream>
#include <string>

namespace shiftadd::tools {

bool is_known_arch(const std::string& name);

/// A line a network: its name, its parameters and the side of its images.
void print_archs(std::ostream& out);

}  // namespace shiftadd::tools
