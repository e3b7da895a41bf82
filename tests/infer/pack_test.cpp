// Packed models: what a file holds, that it computes what the model in memory does, and what it
// refuses.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/cpu/bf16.h"
#include "core/io/files.h"
#include "core/io/json_text.h"
#include "core/shift.h"
#include "infer/session.h"
#include "tests/infer/shift_add_models.h"
#include "tests/support/flips.h"

using namespace shiftadd;
using infer::Session;

namespace {

PackSpec multiply_in(MultiplyFormat format) {
  PackSpec pack;
  pack.multiply = format;
  pack.int8_attention = format == MultiplyFormat::kInt8;
  return pack;
}

Tensor logits_of(const ModelFile& model, const Tensor& images) {
  Session session(model);
  const Tensor logits({images.dim(0), model.spec.classes});
  session.run(images.data<float>(), images.dim(0), logits.data<float>());
  return logits;
}

bool same(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

// |a - b| / |b|
double distance(const Tensor& a, const Tensor& b) {
  double error = 0, size = 0;
  for (int64_t i = 0; i < a.numel(); ++i) {
    const double x = a.data<float>()[i], y = b.data<float>()[i];
    error += (x - y) * (x - y);
    size += y * y;
  }
  return std::sqrt(error / size);
}

std::string refusal(const std::string& path) {
  try {
    load_any_model(path);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE(
    "a packed file computes what the packed model does, and float32 what the trained one does") {
  const test::TemporaryFolder folder;
  for (int variant : {0, 1, 4, 6, 10, 12})
    for (MultiplyFormat format :
         {MultiplyFormat::kFloat32, MultiplyFormat::kBf16, MultiplyFormat::kInt8}) {
      const ModelFile model = test::random_model(test::random_shift_add_spec(variant), 3);
      const Tensor images = test::random_images(model.spec, 5, 4);
      const ModelFile packed = pack_model(model, multiply_in(format));
      const std::string path = folder / "packed.safetensors";
      save_model(path, packed);
      const ModelFile loaded = load_any_model(path);
      INFO("variant ", variant, ", ", name_of(format));
      REQUIRE(loaded.pack.has_value());
      CHECK(*loaded.pack == *packed.pack);
      CHECK(loaded.spec == model.spec);
      REQUIRE(loaded.weights.size() == packed.weights.size());
      for (std::size_t i = 0; i < loaded.weights.size(); ++i)
        CHECK(same(loaded.weights[i].second, packed.weights[i].second));
      const Tensor logits = logits_of(loaded, images), trained = logits_of(model, images);
      CHECK(same(logits, logits_of(packed, images)));
      if (format == MultiplyFormat::kFloat32) CHECK(same(logits, trained));
    }
}

TEST_CASE("a plain network in bf16 and int8 stays near itself") {
  const ModelFile model = test::random_model(named_spec("vit_micro"), 3);
  const Tensor images = test::random_images(model.spec, 9, 4);
  const Tensor exact = logits_of(model, images);
  ModelFile rounded = model;
  for (auto& [name, tensor] : rounded.weights)
    if (tensor.rank() >= 2 && name.ends_with(".weight") && name != "head.weight")
      tensor = tensor.to(DType::kBF16).to(DType::kF32);
  const Tensor bf16 = logits_of(pack_model(model, multiply_in(MultiplyFormat::kBf16)), images);
  if (bf16_unit() == Bf16Unit::kNone) {
    CHECK(same(bf16, logits_of(rounded, images)));
  } else {  // inputs are rounded, too: 8 bits of mantissa
    CHECK(distance(bf16, exact) < 0.02);
    CHECK(distance(bf16, exact) > 1e-4);
  }
  const Tensor int8 = logits_of(pack_model(model, multiply_in(MultiplyFormat::kInt8)), images);
  // 8 bits a number are 0.4 % of a row's largest; so it is a few per cent after two blocks, not 0.
  CHECK(distance(int8, exact) < 0.05);
  CHECK(distance(int8, exact) > 1e-4);
}

TEST_CASE("a packed image's answer depends on neither its neighbours nor the threads") {
  for (const int variant : {0, 4, 12}) {
    const ModelFile model = pack_model(test::random_model(test::random_shift_add_spec(variant), 3),
                                       multiply_in(MultiplyFormat::kInt8));
    const Tensor images = test::random_images(model.spec, 40, 4);
    const test::Threads one(1);
    const Tensor all = logits_of(model, images);
    for (int threads : {1, 2}) {
      const test::Threads set(threads);
      CHECK(same(logits_of(model, images), all));
      for (int64_t i : {0, 17, 39})
        CHECK(same(logits_of(model, images.slice(i, i + 1)), all.slice(i, i + 1)));
    }
  }
}

TEST_CASE("codes are stored a row after the other, two a byte, with an exponent a row") {
  const ModelFile model = test::golden_shift_add(true);
  const ModelFile packed = pack_model(model, {});
  const Tensor* weight = nullptr;
  for (const auto& [name, tensor] : model.weights)
    if (name == "blocks.0.attn.qkv.weight") weight = &tensor;
  REQUIRE(weight);
  const ShiftIntegers integers = shift_integers(weight->to(DType::kF32));
  int64_t found = 0, wrong = 0;
  for (const auto& [name, tensor] : packed.weights) {
    CHECK(name != "blocks.0.attn.qkv.weight");  // no latent weights
    if (name == "blocks.0.attn.qkv.exponents")
      for (int64_t r = 0; r < integers.outputs; ++r, ++found)
        wrong += tensor.data<int16_t>()[r] != integers.exponents[r];
    if (name != "blocks.0.attn.qkv.codes") continue;
    REQUIRE(tensor.shape() == Shape{integers.outputs, 64});
    for (int64_t r = 0; r < integers.outputs; ++r)
      for (int64_t j = 0; j < integers.inputs; ++j, ++found) {
        const int nibble = tensor.data<uint8_t>()[r * 64 + j / 2] >> (j % 2 * 4) & 15;
        wrong += nibble != nibble_of(integers.values[r * integers.inputs + j]);
      }
  }
  CHECK(found == integers.outputs * (integers.inputs + 1));
  CHECK(wrong == 0);
}

TEST_CASE("a packed file that is damaged, or asked for what it is not, is refused") {
  const test::TemporaryFolder folder;
  const std::string path = folder / "packed.safetensors";
  const ModelFile packed = pack_model(test::golden_shift_add(true), {});
  save_model(path, packed);
  CHECK(refusal(path).empty());
  CHECK_THROWS_WITH_AS(load_model(path), doctest::Contains("a packed model, which can only be run"),
                       Error);
  CHECK_THROWS_WITH_AS(pack_model(packed, {}), doctest::Contains("packed already"), Error);
  test::check_all_refused(read_text(path), [&](const std::string& bytes) {
    test::write_text(path, bytes);
    std::string answer;
    for (const auto& [name, tensor] : load_any_model(path).weights)
      answer += name + std::string(static_cast<const char*>(tensor.raw()), tensor.bytes());
    return answer;
  });
  CHECK(test::contains(refusal(path), "the file is damaged"));
  CHECK_THROWS_WITH_AS(parse_pack_spec(R"({"version": 2})", "pack"), doctest::Contains("version 1"),
                       Error);
  CHECK_THROWS_WITH_AS(parse_pack_spec(R"({"version": 1, "multiply": "int4"})", "pack"),
                       doctest::Contains("multiply"), Error);
}

TEST_CASE("what a packed model says of itself is written as it always was, and read") {
  const std::string text =
      R"({"version":1,"multiply":"int8","attention":"float32","shift_shares":[0.0,0.25,1.0]})";
  const PackSpec pack{.multiply = MultiplyFormat::kInt8, .shift_shares = {0, 0.25, 1}};
  CHECK(json_text(to_json(pack)) == text);
  CHECK(parse_pack_spec(text, "pack") == pack);
  CHECK(json_text(to_json(PackSpec{})) ==
        R"({"version":1,"multiply":"float32","attention":"float32"})");
  const auto refused = [](const char* damaged, const char* reason) {
    CHECK_THROWS_WITH_AS(
        parse_pack_spec(damaged, "pack"),
        concat(reason, ": pack the trained model again with shiftadd-convert --pack").c_str(),
        Error);
  };
  refused("{}", "pack:1: version: is missing");
  refused(R"({"version": 1, "multiply": "int8"})", "pack:1: attention: is missing");
  refused(R"({"version": 2})", "pack:1: version: this program reads packed models of version 1");
  refused(
      R"({"version": 1, "multiply": "int9"})",
      "pack:1: multiply: expected one of \"float32\", \"bf16\", \"int8\", got \"int9\"; did you "
      "mean 'int8'?");
}

TEST_CASE("weights that a format cannot hold are refused at packing, by name") {
  const test::TemporaryFolder folder;
  struct Case {
    const char* weight;
    float value;
    std::vector<const char*> refused;  // formats
  };
  for (const Case& each :
       {Case{"blocks.0.attn.qkv.weight", 3.4e38F, {"bf16"}},
        Case{"blocks.1.mlp.fc2.weight", -3.397e38F, {"bf16"}},
        Case{"patch_embed.proj.weight", 3.4028235e38F, {"bf16"}},
        Case{"blocks.0.mlp.fc1.weight", 3.38e38F, {}}, Case{"blocks.0.mlp.fc1.weight", 1e-42F, {}},
        Case{"head.weight", 3.4e38F, {}}, Case{"norm.bias", INFINITY, {"float32", "bf16", "int8"}},
        Case{"blocks.0.attn.proj.weight", NAN, {"float32", "bf16", "int8"}}}) {
    for (const char* format : {"float32", "bf16", "int8"}) {
      ModelFile model = test::random_model(named_spec("vit_micro"), 1);
      for (auto& [name, tensor] : model.weights)
        if (name == each.weight) tensor = Tensor::full(tensor.shape(), each.value);
      INFO(each.weight << " " << each.value << " " << format);
      const bool is_refused =
          std::count_if(each.refused.begin(), each.refused.end(),
                        [&](const char* f) { return f == std::string(format); });
      std::string reason;
      try {
        save_model(folder / "p.safetensors", pack_model(model, pack_in(format)));
        CHECK_NOTHROW(load_any_model(folder / "p.safetensors"));
      } catch (const Error& error) {
        reason = error.what();
      }
      CHECK(reason.empty() != is_refused);
      if (is_refused) CHECK(test::contains(reason, each.weight));
    }
  }
}

TEST_CASE("a forced share of tokens goes to Shift at every router") {
  Session session(test::golden_shift_add(true));
  const ModelSpec spec = session.spec();
  const Tensor images = test::random_images(spec, 1, 4), logits({1, spec.classes});
  const auto tokens = spec.tokens(), routers = static_cast<int64_t>(session.routers().size());
  std::vector<uint8_t> choices(routers * tokens);
  for (double share : {0.0, 0.6, 1.0}) {
    session.force_shift_share(share);
    session.run(images.data<float>(), 1, logits.data<float>(), choices.data());
    for (int64_t r = 0; r < routers; ++r) {
      int64_t shifted = 0;
      for (int64_t t = 0; t < tokens; ++t) shifted += choices[r * tokens + t] == 1;
      CHECK(shifted == static_cast<int64_t>(share * static_cast<double>(tokens)));
    }
  }
}
