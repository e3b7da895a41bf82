// How many tokens the routers of a network sent to Mult and to Shift, as a table or as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <ostream>

#include "infer/routing_counts.h"

namespace shiftadd::tools {

/// {"tokens": N, "mult": SHARE, "shift": SHARE, "routers": [{"router": NAME, "tokens": ...}, ...]},
/// shares from 0 to 1.
nlohmann::ordered_json routing_json(const infer::RoutingCounts& counts);

/// A table, a router a line; nothing for a network without routers.
void print_routing(std::ostream& out, const infer::RoutingCounts& counts);

}  // namespace shiftadd::tools
