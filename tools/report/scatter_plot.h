// A scatter plot as an SVG: numbered points over a logarithmic x axis, named in a list beside it.
#pragma once

#include <string>
#include <vector>

namespace shiftadd::tools {

struct PlotPoint {
  std::string name;
  double x, y;  // x > 0
  std::string colour;
  bool hollow;
};

struct ScatterPlot {
  std::string title, x_label, y_label;
  std::vector<PlotPoint> points;  // at least one
};

std::string to_svg(const ScatterPlot& plot);

}  // namespace shiftadd::tools
