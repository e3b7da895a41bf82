// Defines the shape of each class by a formula, and draws the place, size and angle of a figure.
#include "data/synthetic_figures.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "data/synthetic.h"

namespace shiftadd::data {
namespace {

constexpr double kTurn = 2 * std::numbers::pi;

double fraction(double value) { return value - std::floor(value); }

/// A Form varies a class's shape; the shape takes u, v in units of the figure's scale and turned
/// upright, and detail is in [0, 1].
struct Form {
  double detail, phase, handed;
};
using Covers = bool (*)(double u, double v, const Form& form);

bool in_disc(double u, double v, const Form&) { return u * u + v * v < 1; }

bool in_ring(double u, double v, const Form& form) {
  const double r = std::hypot(u, v);
  return r < 1 && r > 0.45 + 0.2 * form.detail;
}

bool in_square(double u, double v, const Form&) { return std::max(std::abs(u), std::abs(v)) < 0.9; }

/// The triangle is equilateral and centred, with one corner up (v grows downwards). Its corners are
/// at distance 1.15, the borders of its three half planes at half that.
bool in_triangle(double u, double v, const Form&) {
  const double slope = std::numbers::sqrt3 / 2, inner = 1.15 / 2;
  return v < inner && slope * u - v / 2 < inner && -slope * u - v / 2 < inner;
}

bool in_cross(double u, double v, const Form& form) {
  const double arm = 0.2 + 0.12 * form.detail;
  const double a = std::abs(u), b = std::abs(v);
  return (a < arm && b < 1.1) || (b < arm && a < 1.1);
}

/// The star has five points, one up; from a tip to the next notch the border is a straight line.
bool in_star(double u, double v, const Form& form) {
  const double tip = 1.2, notch = 0.42 + 0.1 * form.detail, half = kTurn / 10;
  const double angle = std::abs(fraction(std::atan2(u, -v) / (2 * half) + 0.5) - 0.5) * 2 *
                       half;  // to the nearest tip
  const double r = std::hypot(u, v);
  // The line through (tip, 0) and notch at angle `half`: the point is inside where it lies on the
  // centre's side.
  const double nx = notch * std::cos(half) - tip, ny = notch * std::sin(half);
  return nx * (r * std::sin(angle)) - ny * (r * std::cos(angle) - tip) > 0;
}

/// The rays are a disc cut into sectors.
bool in_rays(double u, double v, const Form& form) {
  const int sectors = 5 + static_cast<int>(form.detail * 2.999);
  return std::hypot(u, v) < 1.3 && fraction(std::atan2(v, u) / kTurn * sectors) < 0.5;
}

/// The spiral has one arm, that of Archimedes, and about two turns.
bool in_spiral(double u, double v, const Form& form) {
  const double r = std::hypot(u, v), turns = 1.9 + 0.5 * form.detail;
  return r < 1.35 && fraction(r / 1.35 * turns + form.handed * std::atan2(v, u) / kTurn) < 0.5;
}

bool in_stripes(double u, double, const Form& form) {
  return fraction(u + form.phase) < 0.4 + 0.2 * form.detail;
}

bool in_waves(double u, double v, const Form& form) {
  return fraction(u + 0.45 * std::sin(kTurn * v / (1.8 + 0.6 * form.detail)) + form.phase) < 0.5;
}

bool in_checkerboard(double u, double v, const Form& form) {
  return (fraction(u / 2 + form.phase) < 0.5) != (fraction(v / 2 + form.phase) < 0.5);
}

bool in_dots(double u, double v, const Form& form) {
  const double x = fraction(u + form.phase) - 0.5, y = fraction(v + form.phase) - 0.5;
  return std::hypot(x, y) < 0.3 + 0.06 * form.detail;
}

/// Figures have a place and a radius; textures cover the image and have a period.
struct ClassForm {
  const char* name;
  Covers covers;
  double scale_min, scale_max;  // as parts of the image's side
  double turn;                  // largest angle to either side, in full turns; 0.5: any
  bool texture;
};
constexpr std::array<ClassForm, 12> kForms = {{
    {"checkerboard", in_checkerboard, 0.13, 0.22, 0.5, true},
    {"cross", in_cross, 0.30, 0.42, 0.07, false},
    {"disc", in_disc, 0.26, 0.40, 0.5, false},
    {"dots", in_dots, 0.20, 0.32, 0.5, true},
    {"rays", in_rays, 0.30, 0.40, 0.5, false},
    {"ring", in_ring, 0.29, 0.43, 0.5, false},
    {"spiral", in_spiral, 0.30, 0.40, 0.5, false},
    {"square", in_square, 0.27, 0.41, 0.05, false},
    {"star", in_star, 0.30, 0.42, 0.1, false},
    {"stripes", in_stripes, 0.17, 0.32, 0.5, true},
    {"triangle", in_triangle, 0.30, 0.43, 0.07, false},
    {"waves", in_waves, 0.19, 0.30, 0.5, true},
}};

}  // namespace

std::vector<std::string> synthetic_classes() {
  std::vector<std::string> names;
  for (const ClassForm& form : kForms) names.emplace_back(form.name);
  return names;
}

Figure::Figure(int64_t label, Random& random) : label_(label) {
  const ClassForm& form = kForms[label];
  const double angle = kTurn * random.uniform(-form.turn, form.turn);
  cosine_ = std::cos(angle);
  sine_ = std::sin(angle);
  scale_ = random.uniform(form.scale_min, form.scale_max);
  constexpr double kShift =
      0.14;  // figures stay near the middle: a small network learns the set in minutes
  center_x_ = random.uniform(0.5 - kShift, 0.5 + kShift);
  center_y_ = random.uniform(0.5 - kShift, 0.5 + kShift);
  phase_ = random.uniform();
  detail_ = random.uniform();
  handed_ = random.uniform() < 0.5 ? -1 : 1;
}

bool Figure::covers(double x, double y) const {
  const double dx = (x - center_x_) / scale_, dy = (y - center_y_) / scale_;
  return kForms[label_].covers(cosine_ * dx + sine_ * dy, cosine_ * dy - sine_ * dx,
                               {detail_, phase_, handed_});
}

}  // namespace shiftadd::data
