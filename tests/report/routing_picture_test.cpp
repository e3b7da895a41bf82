// The routing picture: where tiles lie, which colours they have, and what is refused.
#include "tools/report/routing_picture.h"

#include <algorithm>

#include "core/error.h"
#include "infer/mixture.h"
#include "infer/routing_counts.h"
#include "tests/support/support.h"

using namespace shiftadd;
using namespace shiftadd::tools;

namespace {

Router router_of(int64_t block, Layer layer, const std::string& name, int64_t grid = 4) {
  return {.name = concat("blocks.", block, ".", name),
          .id = {layer, block},
          .layer = name.substr(name.rfind('.') + 1),
          .grid = {grid, grid},
          .prefix = 1,
          .tokens = 1 + grid * grid};
}

const std::vector<Router> kRouters = {router_of(0, Layer::kQkv, "attn.qkv"),
                                      router_of(0, Layer::kMlp, "mlp"),
                                      router_of(11, Layer::kMlp, "mlp")};

// 4 x 4 patches on a photograph of 32 x 32; every router sends even patches to Shift; the last one
// routes the class token alone.
RoutedImage routed() {
  RoutedImage image{make_canvas(32, 32, {90, 150, 40}), kRouters, {}, "tabby", 0.875};
  for (std::size_t router = 0; router < kRouters.size(); ++router)
    for (int token = 0; token < 17; ++token)
      image.choices.push_back(token == 0    ? kMultExpert
                              : router == 2 ? infer::kNotRouted
                              : token % 2   ? kShiftExpert
                                            : kMultExpert);
  return image;
}

Color pixel(const data::Image& image, int64_t x, int64_t y) {
  const uint8_t* p = image.row(y) + 3 * x;
  return {p[0], p[1], p[2]};
}

// The middle of a patch of a router's tile.
Color patch(const data::Image& picture, int64_t router, int64_t row, int64_t column) {
  const Area tile = PictureLayout(32, 32, kRouters).tile_at(router);
  return pixel(picture, tile.x + (2 * column + 1) * tile.width / 8,
               tile.y + (2 * row + 1) * tile.height / 8);
}

bool is_ink(const Color& c) { return c[0] < 64 && c[1] < 64 && c[2] < 64; }

}  // namespace

TEST_CASE("patches have the colour of their expert; others the photograph's gray") {
  const data::Image picture = draw_routing(routed());
  const PictureLayout layout(32, 32, kRouters);
  CHECK(picture.width == layout.width);
  CHECK(picture.height == layout.height);
  CHECK(static_cast<int64_t>(picture.pixels.size()) == 3 * layout.width * layout.height);
  for (int64_t router = 0; router < 3; ++router)
    for (int64_t row = 0; row < 4; ++row)
      for (int64_t column = 0; column < 4; ++column) {
        const Color c = patch(picture, router, row, column);
        const bool shift = (row * 4 + column) % 2 == 0;
        if (router == 2)
          CHECK((c[0] == c[1] && c[1] == c[2]));
        else if (shift)
          CHECK(c[2] > c[0] + 80);  // blue
        else
          CHECK(c[0] > c[2] + 80);  // orange
      }
  CHECK(pixel(picture, layout.gap + 10, layout.gap + 10) == Color{90, 150, 40});  // the photograph
}

TEST_CASE("a label stands below every tile") {
  const data::Image picture = draw_routing(routed());
  const PictureLayout layout(32, 32, kRouters);
  for (int64_t router = 0; router < 3; ++router) {
    const Area tile = layout.tile_at(router);
    for (int64_t line = 0; line < 3; ++line) {
      const int64_t height = (kTextHeight + 1) * layout.text;
      int ink = 0;
      for (int64_t y = 0; y < height; ++y)
        for (int64_t x = 0; x < layout.tile; ++x)
          ink += is_ink(pixel(picture, tile.x + x,
                              tile.y + tile.height + 2 * layout.text + line * height + y));
      CHECK(ink > 100);
    }
  }
}

TEST_CASE("tiles never overlap and lie inside; small images are enlarged, huge ones reduced") {
  for (const int64_t size : {1, 7, 32, 64, 224, 384, 1000}) {
    for (const int blocks : {1, 2, 6, 7, 12, 24}) {
      for (const int kinds : {1, 2, 3}) {
        std::vector<Router> routers;
        for (int i = 0; i < blocks; ++i)
          for (int kind = 0; kind < kinds; ++kind)
            routers.push_back(kind == 0   ? router_of(i, Layer::kMlp, "mlp")
                              : kind == 1 ? router_of(i, Layer::kQkv, "attn.qkv")
                                          : router_of(i, Layer::kProj, "attn.proj"));
        const PictureLayout layout(size, size, routers);
        CHECK(layout.tile >= kLeastTile);
        CHECK(layout.tile <= kMostTile);
        for (std::size_t i = 0; i < routers.size(); ++i) {
          const Area a = layout.tile_at(static_cast<int64_t>(i));
          CHECK(a.x >= 0);
          CHECK(a.y >= layout.head);
          CHECK(a.x + a.width <= layout.width);
          CHECK(a.y + a.height + layout.label <= layout.height);
          for (std::size_t j = 0; j < i; ++j) {
            const Area b = layout.tile_at(static_cast<int64_t>(j));
            const bool beside = a.x >= b.x + b.width || b.x >= a.x + a.width;
            const bool below =
                a.y >= b.y + b.height + layout.label || b.y >= a.y + a.height + layout.label;
            CHECK((beside || below));
          }
        }
      }
    }
  }
}

TEST_CASE("the longest label fits its tile, and the legend its picture, however few the routers") {
  for (const int64_t size : {8, 32, 224, 384, 512}) {
    const PictureLayout layout(size, size, kRouters), narrow(size, size, {kRouters[1]});
    for (const char* text : {"block 23 proj", "class token only", "Shift 100.0 %"})
      CHECK(text_width(text, layout.text) <= layout.tile);
    CHECK(text_width("class token", layout.text) + 12 * layout.text <= layout.tile);
    const int64_t room = narrow.width - narrow.tile - 3 * narrow.gap;
    for (const char* text : {"answer, 100.0 %:", "Shift 100.0 % of tokens"})
      CHECK(text_width(text, narrow.text) <= room);
    for (const char* text : {"gold: tokens that multiply", "blue: tokens that shift"})
      CHECK(text_width(text, narrow.text) + 12 * narrow.text <= room);
  }
}

TEST_CASE("the legend has words beside the colours of the patches, and the answer above them") {
  RoutedImage image = routed();
  const data::Image picture = draw_routing(image);
  const PictureLayout layout(32, 32, kRouters);
  // The same words drawn here, where draw_routing puts them.
  const auto has = [&](const std::string& words, int64_t indent, int64_t half_lines) {
    data::Image expected = make_canvas(text_width(words, layout.text), 10 * layout.text, {});
    draw_text(expected, 0, 0, words, layout.text, {255, 255, 255});
    const int64_t left = 2 * layout.gap + layout.tile + indent,
                  top = layout.gap + half_lines * (kTextHeight + 1) * layout.text / 2;
    for (int64_t y = 0; y < expected.height; ++y)
      for (int64_t x = 0; x < expected.width; ++x)
        if (is_ink(pixel(picture, left + x, top + y)) != !is_ink(pixel(expected, x, y)))
          return false;
    return true;
  };
  CHECK(has("answer, 87.5 %:", 0, 0));
  CHECK(has("tabby", 0, 2));
  CHECK(has("gold: tokens that multiply", 12 * layout.text, 5));
  CHECK(has("blue: tokens that shift", 12 * layout.text, 8));
  CHECK(has("gray: not routed", 12 * layout.text, 11));
  CHECK(has("Shift 45.7 % of tokens", 0, 14));
  const auto swatch = [&](int64_t half_lines) {
    return pixel(picture, 2 * layout.gap + layout.tile + 3 * layout.text,
                 layout.gap + (half_lines * (kTextHeight + 1) / 2 + 3) * layout.text);
  };
  CHECK(swatch(5)[0] > swatch(5)[2] + 80);  // gold
  CHECK(swatch(8)[2] > swatch(8)[0] + 80);  // blue
  // For eyes that see no colours: one is much lighter.
  CHECK(swatch(5)[0] + swatch(5)[1] > swatch(8)[0] + swatch(8)[1] + 100);
}

TEST_CASE("class names of any length and any bytes are drawn, and stay inside") {
  const std::string long_name(3000, 'w');
  for (const std::string& name :
       {std::string(), long_name, std::string("\u00dcbergr\u00f6\u00dfe"),
        std::string("\u732b\u732b\u732b"), std::string("\xff\xfe\n\0x", 5)}) {
    RoutedImage image = routed();
    image.answer = name;
    const data::Image picture = draw_routing(image);
    CHECK(picture.width == PictureLayout(32, 32, kRouters).width);
    for (int64_t y = 0; y < picture.height; ++y)  // the margin on the right
      CHECK_FALSE(is_ink(pixel(picture, picture.width - 2, y)));
  }
  RoutedImage image = routed();
  image.answer = "\u00c4\u00f6\u00e9";
  const data::Image accented = draw_routing(image);
  image.answer = "Aoe";
  CHECK(draw_routing(image).pixels == accented.pixels);
}

TEST_CASE("as many patches as pixels are drawn, too") {
  RoutedImage image{
      make_canvas(224, 224, {200, 200, 200}), {router_of(0, Layer::kMlp, "mlp", 224)}, {}, "", 1};
  image.choices.assign(1 + 224 * 224, kShiftExpert);
  const data::Image picture = draw_routing(image);
  const Area tile = PictureLayout(224, 224, image.routers).tile_at(0);
  const Color c = pixel(picture, tile.x + 100, tile.y + 100);
  CHECK(c[2] > c[0] + 80);
}

TEST_CASE("sizes that do not agree are refused") {
  RoutedImage image = routed();
  image.choices.pop_back();
  CHECK_THROWS_WITH_AS(draw_routing(image), doctest::Contains("expected"), Error);
  image = routed();
  image.routers.clear();
  image.choices.clear();
  CHECK_THROWS_AS(draw_routing(image), Error);
}

TEST_CASE("tiles have the proportions of the photograph, and patches those of its grid") {
  Router router = router_of(0, Layer::kMlp, "mlp");
  router.grid = {2, 4};
  router.prefix = 0;  // no class token
  router.tokens = 8;
  RoutedImage image{make_canvas(64, 32, {90, 150, 40}), {router}, {}, "tabby", 0.5};
  image.choices.assign(8, kMultExpert);
  image.choices[7] = kShiftExpert;
  const data::Image picture = draw_routing(image);
  const Area tile = PictureLayout(64, 32, image.routers).tile_at(0);
  CHECK(tile.width == 2 * tile.height);
  const auto patch = [&](int64_t row, int64_t column) {
    return pixel(picture, tile.x + (2 * column + 1) * tile.width / 8,
                 tile.y + (2 * row + 1) * tile.height / 4);
  };
  CHECK(patch(1, 2)[0] > patch(1, 2)[2] + 80);  // gold
  CHECK(patch(1, 3)[2] > patch(1, 3)[0] + 80);  // blue
}

TEST_CASE("canvas: what lies outside is left out, and a blend is between the colours") {
  data::Image image = make_canvas(5, 4, {0, 100, 200});
  fill(image, {-2, -2, 3, 3}, {255, 0, 0});
  fill(image, {4, 3, 9, 9}, {255, 0, 0});
  fill(image, {2, 2, 0, 2}, {255, 0, 0});
  blend(image, {2, 1, 1, 1}, {100, 100, 100}, 0.5);
  int red = 0;
  for (int64_t y = 0; y < 4; ++y)
    for (int64_t x = 0; x < 5; ++x) red += pixel(image, x, y) == Color{255, 0, 0};
  CHECK(red == 2);
  CHECK(pixel(image, 2, 1) == Color{50, 100, 150});
  draw_text(image, -3, -3, "clipped", 3, {1, 2, 3});  // not beyond the image's memory
}

TEST_CASE("shares count what was routed") {
  const RoutedImage image = routed();
  infer::RoutingCounts counts(image.routers);
  counts.add(image.choices.data());
  counts.add(image.choices.data());
  REQUIRE(counts.rows().size() == 3);
  CHECK(counts.rows()[0].router == "blocks.0.attn.qkv");
  CHECK(counts.rows()[0].tokens() == 34);
  CHECK(counts.rows()[0].shift == 16);
  CHECK(counts.rows()[2].tokens() == 2);  // its class token
  CHECK(counts.rows()[2].shift_share() == 0);
  CHECK(counts.total().tokens() == 70);
  CHECK(counts.total().shift_share() == doctest::Approx(32.0 / 70));
}

TEST_CASE("routers may see grids of different sizes: each its own tokens") {
  const std::vector<Router> routers = {router_of(0, Layer::kMlp, "mlp", 4),
                                       router_of(1, Layer::kMlp, "mlp", 2)};
  RoutedImage image{make_canvas(32, 32, {90, 150, 40}), routers, {}, "tabby", 0.5};
  image.choices.assign(17, kMultExpert);
  image.choices.insert(image.choices.end(), 5, kShiftExpert);
  infer::RoutingCounts counts(routers);
  counts.add(image.choices.data());
  CHECK(counts.rows()[0].mult == 17);
  CHECK(counts.rows()[0].shift == 0);
  CHECK(counts.rows()[1].mult == 0);
  CHECK(counts.rows()[1].shift == 5);
  const data::Image picture = draw_routing(image);
  const PictureLayout layout(32, 32, routers);
  for (int64_t router = 0; router < 2; ++router) {
    const Area tile = layout.tile_at(router);
    const Color c = pixel(picture, tile.x + 3 * tile.width / 8, tile.y + 3 * tile.height / 8);
    CHECK((router == 1 ? c[2] > c[0] + 40 : c[0] > c[2] + 40));
  }
}
