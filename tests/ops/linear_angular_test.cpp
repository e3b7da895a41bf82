// linear_angular_attention: golden values, gradients, local filters, evaluation's bits, errors.
#include "core/io/json_text.h"
#include "tests/ops/op_test.h"

namespace shiftadd::test {
using autograd::linear_angular_attention;
using autograd::LinearAngularOptions;

namespace {

Codes codes_of(const std::string& name) {
  const std::map<std::string, Codes> all = {{"none", Codes::kNone},
                                            {"sign", Codes::kSign},
                                            {"unit_head", Codes::kUnitHead},
                                            {"unit_batch", Codes::kUnitBatch}};
  return all.at(name);
}

LinearAngularOptions options(int64_t heads, Codes codes, ValueFormat value = ValueFormat::kFloat) {
  LinearAngularOptions o;
  o.heads = heads;
  o.codes = codes;
  o.value = value;
  return o;
}

}  // namespace

TEST_CASE("linear_angular: golden") {
  for (const std::string& name : golden_cases("linear_angular_")) {
    INFO(name);
    TensorFile file = golden_operator(name);
    const nlohmann::json attributes = parse_json(test::attributes(file));
    LinearAngularOptions o =
        options(file.at("in.q").dim(1), codes_of(attributes.at("codes")),
                attributes.at("value") == "int8" ? ValueFormat::kInt8 : ValueFormat::kFloat);
    o.prefix = attributes.at("class_token").get<bool>() ? 1 : 0;
    const Variable qkv(fuse(file, "in."), true), weight(file.at("param.conv_w").clone(), true);
    CHECK(weight.dim(2) == attributes.at("token_kernel"));
    const Variable out = linear_angular_attention(qkv, weight, o);
    check_close(out.value(), merge(file.at("out.y")), 1e-5, name + " out.y");
    out.backward(merge(file.at("cot.y")));
    check_close(qkv.grad(), fuse(file, "grad."), 1e-4, name + " gradient of qkv", 1e-6);
    check_close(weight.grad(), file.at("grad.conv_w"), 1e-4, name + " grad.conv_w", 1e-6);
    autograd::NoGradGuard guard;
    check_close(linear_angular_attention(qkv, weight, o).value(), merge(file.at("out.y")), 1e-5,
                name + " in evaluation");
  }
}

TEST_CASE("linear_angular: gradient check, codes none") {
  for (const auto& [tokens, heads, d] : {std::array<int64_t, 3>{1, 1, 1}, {5, 3, 2}, {12, 2, 3}}) {
    const LinearAngularOptions o = options(heads, Codes::kNone);
    check_gradients([&](const auto& in) { return linear_angular_attention(in[0], {}, o); },
                    {{2, tokens, 3 * heads * d}});
    check_gradients([&](const auto& in) { return linear_angular_attention(in[0], in[1], o); },
                    {{2, tokens, 3 * heads * d}, {heads, 1, 9, 1}});
  }
  LinearAngularOptions first = options(2, Codes::kNone);
  first.queries = 3;
  first.prefix = 1;
  check_gradients([&](const auto& in) { return linear_angular_attention(in[0], in[1], first); },
                  {{3, 7, 12}, {2, 1, 5, 1}});
  LinearAngularOptions grid = options(2, Codes::kNone);
  grid.prefix = 1;
  grid.grid_h = 3;
  grid.grid_w = 4;
  check_gradients([&](const auto& in) { return linear_angular_attention(in[0], in[1], grid); },
                  {{2, 13, 12}, {2, 1, 5, 5}});
  grid.queries = 6;
  check_gradients([&](const auto& in) { return linear_angular_attention(in[0], in[1], grid); },
                  {{2, 13, 12}, {2, 1, 3, 5}});
}

TEST_CASE("linear_angular: a filter on the grid is a depthwise convolution of v") {
  // What the filter adds is the difference between the outputs with and without it.
  const int64_t batch = 2, heads = 3, d = 5, height = 4, width = 6, patches = height * width;
  const Variable qkv = variable({batch, patches, 3 * heads * d});
  const Variable weight = variable({heads, 1, 5, 5}, 2);
  LinearAngularOptions o = options(heads, Codes::kSign);
  o.grid_h = height;
  o.grid_w = width;
  const Variable with = linear_angular_attention(qkv, weight, o);
  const Variable without = linear_angular_attention(qkv, {}, o);
  // v as images (B, heads d, height, width) and each head's filter once per channel.
  Tensor image({batch, heads * d, height, width}), filters({heads * d, 1, 5, 5});
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t c = 0; c < heads * d; ++c)
      for (int64_t n = 0; n < patches; ++n)
        image.data<float>()[(b * heads * d + c) * patches + n] =
            qkv.value().data<float>()[(b * patches + n) * 3 * heads * d + 2 * heads * d + c];
  for (int64_t c = 0; c < heads * d; ++c)
    std::copy_n(weight.value().data<float>() + c / d * 25, 25, filters.data<float>() + c * 25);
  const Variable convolved =
      autograd::depthwise_conv2d(Variable(image), Variable(filters), {}, 1, 2);
  const Variable tokens =
      autograd::transpose_last(autograd::reshape(convolved, {batch, heads * d, patches}));
  check_close(autograd::subtract(with, without).value(), tokens.value(), 1e-5, "filter");
}

TEST_CASE("linear_angular: the class token stays outside the filter") {
  LinearAngularOptions o = options(2, Codes::kSign);
  o.prefix = 1;
  const Variable qkv = variable({2, 11, 24});
  const std::vector<float> with =
      values(linear_angular_attention(qkv, variable({2, 1, 9, 1}, 2), o).value());
  const std::vector<float> without = values(linear_angular_attention(qkv, {}, o).value());
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t j = 0; j < 8; ++j) CHECK(with[b * 88 + j] == without[b * 88 + j]);
  CHECK(with[8] != without[8]);
}

TEST_CASE("linear_angular: fewer queries give the same first rows, bit for bit") {
  for (Codes codes : {Codes::kNone, Codes::kSign, Codes::kUnitHead, Codes::kUnitBatch}) {
    LinearAngularOptions o = options(2, codes);
    o.prefix = 1;
    const Variable qkv = variable({2, 197, 3 * 6}), weight = variable({2, 1, 9, 1}, 2);
    const std::vector<float> all = values(linear_angular_attention(qkv, weight, o).value());
    o.queries = 17;
    const std::vector<float> first = values(linear_angular_attention(qkv, weight, o).value());
    for (int64_t b = 0; b < 2; ++b)
      for (int64_t j = 0; j < 17 * 6; ++j) CHECK(first[b * 17 * 6 + j] == all[b * 197 * 6 + j]);
  }
}

TEST_CASE("linear_angular: evaluation only adds, and gives training's bits") {
  for (ValueFormat value : {ValueFormat::kFloat, ValueFormat::kInt8})
    for (const auto& [tokens, heads, d] :
         {std::array<int64_t, 3>{1, 1, 1}, {17, 3, 17}, {65, 2, 32}, {197, 1, 64}}) {
      LinearAngularOptions o = options(heads, Codes::kSign, value);
      o.prefix = 1;
      const Variable qkv = variable({2, tokens, 3 * heads * d}), w = variable({heads, 1, 9, 1}, 2);
      const std::vector<float> training = values(linear_angular_attention(qkv, w, o).value());
      autograd::NoGradGuard guard;
      const std::vector<float> adding = values(linear_angular_attention(qkv, w, o).value());
      CHECK(training == adding);
    }
}

TEST_CASE("linear_angular: an image does not depend on its batch, but for unit_batch") {
  for (Codes codes : {Codes::kNone, Codes::kSign, Codes::kUnitHead, Codes::kUnitBatch}) {
    const Variable many = variable({4, 17, 3 * 64});
    const Variable one(many.value().slice(2, 3).clone(), true);
    const std::vector<float> all =
        values(linear_angular_attention(many, {}, options(2, codes)).value());
    const std::vector<float> alone =
        values(linear_angular_attention(one, {}, options(2, codes)).value());
    const bool equal = std::equal(alone.begin(), alone.end(), all.begin() + 2 * 17 * 64);
    CHECK(equal == (codes != Codes::kUnitBatch));
  }
}

TEST_CASE("linear_angular: 1 and 2 threads, bit for bit") {
  LinearAngularOptions o = options(3, Codes::kSign, ValueFormat::kInt8);
  std::vector<std::vector<float>> runs;
  for (int threads : {1, 2}) {
    Threads set(threads);
    const Variable qkv = variable({3, 65, 9 * 17}), weight = variable({3, 1, 9, 1}, 2);
    const Variable out = linear_angular_attention(qkv, weight, o);
    out.backward(variable({3, 65, 3 * 17}, 3).value());
    std::vector<float> run = values(out.value());
    for (const Tensor& gradient : {qkv.grad(), weight.grad()})
      for (float x : values(gradient)) run.push_back(x);
    runs.push_back(std::move(run));
  }
  CHECK(runs[0] == runs[1]);
}

TEST_CASE("linear_angular: errors") {
  const auto call = [](Shape qkv, Shape weight, LinearAngularOptions o) {
    return [=] {
      linear_angular_attention(variable(qkv), weight.empty() ? Variable() : variable(weight), o);
    };
  };
  LinearAngularOptions o = options(2, Codes::kSign);
  check_error(call({2, 5, 10}, {}, o),
              "[linear_angular_attention] qkv is (2, 5, 10): expected a last dimension divisible "
              "by 3");
  check_error(call({2, 5, 15}, {}, o),
              "[linear_angular_attention] input is (2, 5, 15) with 2 heads: expected a number of "
              "heads that divides 5");
  check_error(call({2, 5, 12}, {4, 1, 9, 1}, o),
              "[linear_angular_attention] local_weight is (4, 1, 9, 1): expected one filter (2, "
              "1, h, w) per head");
  check_error(call({2, 5, 12}, {2, 1, 4, 1}, o),
              "[linear_angular_attention] local_weight is (2, 1, 4, 1): expected odd sizes of at "
              "most 9");
  check_error(call({2, 5, 12}, {2, 1, 5, 5}, o),
              "[linear_angular_attention] a filter (2, 1, 5, 5) runs on a grid of 0 x 0 patches, "
              "the input has 5: expected a grid of as many");
  o.queries = 6;
  check_error(call({2, 5, 12}, {}, o), "[linear_angular_attention] 6 queries of 5 tokens");
  check_error(call({2, 5, 12}, {}, options(2, Codes::kBipolar2)),
              "[linear_angular_attention] codes are bipolar2: expected none, signs or unit codes");
}

}  // namespace shiftadd::test
