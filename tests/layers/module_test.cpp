// The parameter tree: names, state dict, errors.
#include "layers/module.h"

#include "layers/linear.h"
#include "tests/support/support.h"

namespace shiftadd::layers {
namespace {

class Pair : public Module {
 public:
  Pair() {
    Random random(1, 1);
    add_parameter("scale", Tensor::full({1}, 2));
    add_module(std::make_unique<Linear>("first", 3, 2, random));
    add_module(std::make_unique<LayerNorm>(NormSpec{"second", 2, 1e-6}));
  }
};

std::string load_error(Pair& pair, const NamedTensors& state) {
  try {
    pair.load_state_dict(state);
  } catch (const Error& error) {
    CHECK(error.kind() == Error::Kind::kUser);
    return error.what();
  }
  return "nothing was thrown";
}

TEST_CASE("module: dotted names in declaration order") {
  const Pair pair;
  std::vector<std::string> names;
  for (const auto& [name, parameter] : pair.named_parameters()) {
    names.push_back(name);
    CHECK(parameter.requires_grad());
  }
  CHECK(names == std::vector<std::string>{"scale", "first.weight", "first.bias", "second.weight",
                                          "second.bias"});
  CHECK(pair.parameter_count() == 1 + 6 + 2 + 2 + 2);
}

TEST_CASE("module: state dict shares, loading copies and converts") {
  Pair pair, other;
  CHECK(pair.state_dict()[0].second.shares_memory(pair.named_parameters()[0].second.value()));
  auto state = other.state_dict();
  state[0].second = Tensor::full({1}, 7, DType::kF16);
  state[1].second = Tensor::full({2, 3}, 5);
  pair.load_state_dict(state);
  CHECK(pair.state_dict()[0].second.data<float>()[0] == 7);
  CHECK(pair.state_dict()[1].second.data<float>()[5] == 5);
  CHECK(!pair.state_dict()[1].second.shares_memory(state[1].second));
}

TEST_CASE("module: loading names everything that does not fit and changes nothing") {
  Pair pair;
  auto state = Pair().state_dict();
  state[0].second = Tensor::full({1}, 7);
  state[1].second = Tensor::zeros({3, 2});
  state[2].first = "first.bais";
  const std::string error = load_error(pair, state);
  CHECK(error.find("missing: first.bias (2,)") != std::string::npos);
  CHECK(error.find("another shape: first.weight is (3, 2), expected (2, 3)") != std::string::npos);
  CHECK(error.find("unexpected: first.bais (2,)") != std::string::npos);
  CHECK(error.find("did you mean 'first.bias'") != std::string::npos);
  CHECK(pair.state_dict()[0].second.data<float>()[0] == 2);
  auto twice = Pair().state_dict();
  twice.push_back(twice[0]);
  CHECK(load_error(pair, twice).find("given twice") != std::string::npos);
}

}  // namespace
}  // namespace shiftadd::layers
