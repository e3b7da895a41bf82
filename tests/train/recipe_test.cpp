// The grammar of surgery recipes.
#include "train/recipe.h"

#include <doctest/doctest.h>

#include "core/error.h"

using namespace shiftadd;
using namespace shiftadd::train;

TEST_CASE("a recipe line names blocks and what becomes of their layers") {
  const layers::SurgeryStep all = parse_recipe_line("all: attention=linear_add");
  CHECK(all.first == 0);
  CHECK(all.last == -1);
  CHECK(all.attention == AttentionKind::kLinearAdd);
  CHECK_FALSE(all.mlp.has_value());
  const layers::SurgeryStep some =
      parse_recipe_line(" 2 - 5 : qkv = shift,proj=mixture, mlp=multiply");
  CHECK(some.first == 2);
  CHECK(some.last == 5);
  CHECK(some.qkv == LayerKind::kShift);
  CHECK(some.proj == LayerKind::kMixture);
  CHECK(some.mlp == LayerKind::kMultiply);
  CHECK(parse_recipe_line("3: mlp=shift").last == 3);
}

TEST_CASE("recipe lines with mistakes are refused") {
  const auto refused = [](const char* line, const char* reason) {
    try {
      parse_recipe_line(line);
      FAIL_CHECK("accepted: ", line);
    } catch (const Error& error) {
      CHECK(error.exit_code() == 2);
      CHECK_MESSAGE(std::string(error.what()).find(reason) != std::string::npos, error.what());
    }
  };
  refused("mlp=shift", "expected BLOCKS: LAYER=KIND");
  refused("all: mpl=shift", "did you mean 'mlp'");
  refused("all: mlp=shfit", "did you mean 'shift'");
  refused("all: mlp", "expected LAYER=KIND");
  refused("all: mlp=shift, mlp=mixture", "mlp stands twice: expected one kind for each layer");
  refused("all:", "expected LAYER=KIND");
  refused("first: mlp=shift", "expected all, a number");
  refused("-1: mlp=shift", "expected all, a number");
  refused("1-x: mlp=shift", "expected all, a number");
}
