// Draws a scatter plot: the range of its axes, its grid, its points and the list of their names.
#include "tools/report/scatter_plot.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <sstream>

namespace shiftadd::tools {
namespace {

std::string xml_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else
      out += c;
  }
  return out;
}

// Multiples of 1, 2 or 5 times a power of ten: at most `most` + 1 of them cover the range.
double tick_step(double range, int most) {
  double step = std::pow(10, std::floor(std::log10(range / most)));
  for (const double factor : {2.0, 2.5, 2.0})
    if (range / step > most) step *= factor;
  return step;
}

}  // namespace

std::string to_svg(const ScatterPlot& plot) {
  constexpr double kWidth = 860, kHeight = 420, kLeft = 60, kTop = 40, kRight = 480, kBottom = 370;
  double least_x = plot.points[0].x, most_x = least_x, least_y = plot.points[0].y, most_y = least_y;
  for (const PlotPoint& point : plot.points) {
    least_x = std::min(least_x, point.x), most_x = std::max(most_x, point.x);
    least_y = std::min(least_y, point.y), most_y = std::max(most_y, point.y);
  }
  least_x /= 1.25, most_x *= 1.25;
  const double step = tick_step(std::max(most_y - least_y, 0.1), 5);
  least_y = (std::floor(least_y / step) - 0.2) * step,
  most_y = (std::ceil(most_y / step) + 0.2) * step;
  const auto at_x = [&](double x) {
    return kLeft + (kRight - kLeft) * std::log(x / least_x) / std::log(most_x / least_x);
  };
  const auto at_y = [&](double y) {
    return kBottom - (kBottom - kTop) * (y - least_y) / (most_y - least_y);
  };
  std::ostringstream out;
  const auto text = [&](double x, double y, const char* anchor, const auto& content) {
    out << "<text x=\"" << x << "\" y=\"" << y << "\" text-anchor=\"" << anchor << "\">" << content
        << "</text>\n";
  };
  const auto line = [&](double x0, double y0, double x1, double y1) {
    out << "<line x1=\"" << x0 << "\" y1=\"" << y0 << "\" x2=\"" << x1 << "\" y2=\"" << y1
        << "\" stroke=\"#ddd\"/>\n";
  };
  out << std::setprecision(5) << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 "
      << kWidth << " " << kHeight << "\" font-family=\"sans-serif\" font-size=\"13\">\n"
      << "<rect width=\"" << kWidth << "\" height=\"" << kHeight << "\" fill=\"white\"/>\n";
  text(kLeft, 22, "start", "<tspan font-weight=\"bold\">" + xml_text(plot.title) + "</tspan>");
  for (double decade = std::pow(10, std::floor(std::log10(least_x))); decade <= most_x;
       decade *= 10)
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double x = decade * factor;
      if (x < least_x || x > most_x) continue;
      line(at_x(x), kTop, at_x(x), kBottom);
      text(at_x(x), kBottom + 18, "middle", x);
    }
  for (double tick = std::ceil(least_y / step); tick * step <= most_y; ++tick) {
    line(kLeft, at_y(tick * step), kRight, at_y(tick * step));
    text(kLeft - 8, at_y(tick * step) + 4, "end", tick * step);
  }
  text((kLeft + kRight) / 2, kBottom + 40, "middle", xml_text(plot.x_label));
  text(kLeft, kTop - 4, "start", xml_text(plot.y_label));
  for (std::size_t i = 0; i < plot.points.size(); ++i) {
    const PlotPoint& point = plot.points[i];
    const double in_list = kTop + 16 + 22 * static_cast<double>(i);
    const auto mark = [&](double x, double y) {
      out << "<circle cx=\"" << x << "\" cy=\"" << y << "\" r=\"9\" fill=\""
          << (point.hollow ? "white" : point.colour) << "\" stroke=\"" << point.colour
          << "\" stroke-width=\"2\"/>\n<text x=\"" << x << "\" y=\"" << y + 4
          << "\" text-anchor=\"middle\" font-size=\"11\" fill=\""
          << (point.hollow ? point.colour : "white") << "\">" << i + 1 << "</text>\n";
    };
    mark(at_x(point.x), at_y(point.y));
    mark(kRight + 30, in_list - 4);
    text(kRight + 48, in_list, "start", xml_text(point.name));
  }
  out << "</svg>\n";
  return out.str();
}

}  // namespace shiftadd::tools
