// Named networks against their published sizes; JSON form and its errors; preprocessing's JSON.
#include <nlohmann/json.hpp>

#include "core/io/json_text.h"
#include "core/preprocess.h"
#include "model/network.h"
#include "tests/support/support.h"

using namespace shiftadd;
using nlohmann::json;

namespace {

ModelSpec parsed(const json& spec) { return parse_model_spec(json_text(spec), "net.json"); }
ModelSpec read_back(const ModelSpec& spec) { return parsed(to_json(spec)); }

}  // namespace

TEST_CASE("DeiT's parameter and MAC counts are the published ones") {
  struct Row {
    const char* name;
    int64_t parameters;
    double linear, attention;
  };
  for (const Row& row : {Row{"deit_tiny_patch16_224", 5717416, 1.0749, .1788},
                         Row{"deit_small_patch16_224", 22050664, 4.2412, .3577},
                         Row{"deit_base_patch16_224", 86567656, 16.8485, .7153}}) {
    const ModelSpec spec = named_spec(row.name);
    CHECK(count_parameters(spec) == row.parameters);
    CHECK(parameters_of(spec).size() == 152);
    const MacCount macs = count_macs(spec);
    CHECK(macs.linear / 1e9 == doctest::Approx(row.linear).epsilon(1e-4));
    CHECK(macs.attention / 1e9 == doctest::Approx(row.attention).epsilon(1e-3));
  }
}

TEST_CASE("a spec survives its JSON form; defaults come from base") {
  for (const std::string& name : spec_names())
    CHECK(read_back(named_spec(name)) == named_spec(name));
  const ModelSpec spec =
      parse_model_spec(R"({"base": "vit_cifar", "mlp_hidden": 256, "norm_eps": 1e-5})", "net");
  CHECK(spec.width == 128);
  CHECK(spec.mlp_hidden == 256);
  CHECK(spec.norm_eps == 1e-5);
}

TEST_CASE("impossible or misspelt specs are refused with a reason") {
  const auto refused = [](const char* text, const char* reason) {
    INFO(text);
    try {
      parse_model_spec(text, "net.json");
      FAIL_CHECK("accepted");
    } catch (const Error& error) {
      CHECK(error.exit_code() == 2);
      CHECK_MESSAGE(std::string(error.what()).find(reason) != std::string::npos, error.what());
    }
  };
  refused(R"({"widht": 3})", "did you mean 'width'");
  refused(R"({"width": "x"})", "width: expected a whole number");
  refused(R"({"width": 100, "heads": 3})", "not divisible by heads");
  refused(R"({"image_size": 225})", "not divisible by patch_size");
  refused(R"({"depth": 0})", "depth: expected a whole number from 1 to 16384, got 0");
  refused(R"({"width": 999999, "heads": 1, "depth": 16384})", "parameters");
  refused(R"({"depth": 16385})", "depth: expected a whole number from 1 to 16384, got 16385");
  refused(R"({"norm_eps": 0})", "norm_eps");
  refused(R"({"family": "resnet"})", "resnet");
  refused(R"({"base": "deit_tinny_patch16_224"})", "did you mean 'deit_tiny_patch16_224'");
  refused(R"([1])", "expected a JSON object");
}

TEST_CASE("a spec without base gives every size that has no right default") {
  const nlohmann::json whole = to_json(named_spec("vit_cifar"));
  CHECK(parsed(whole) == named_spec("vit_cifar"));
  for (const char* key :
       {"image_size", "patch_size", "width", "depth", "heads", "mlp_hidden", "classes"}) {
    nlohmann::json spec = whole;
    spec["width"] = 192, spec["heads"] = 3;  // so that the old defaults would pass
    spec["image_size"] = 224, spec["patch_size"] = 16;
    spec.erase(key);
    CHECK_THROWS_WITH_AS(parsed(spec), doctest::Contains(concat(key, " is missing").c_str()),
                         Error);
    spec["base"] = "vit_cifar_192";
    CHECK_NOTHROW(parsed(spec));
  }
  nlohmann::json spec = whole;
  for (const char* key : {"in_channels", "norm_eps", "name", "family"}) spec.erase(key);
  CHECK(parsed(spec).norm_eps == 1e-6);
  const test::TemporaryFolder folder;
  test::write_text(folder / "net.json", R"({"width": 192, "depth": 12})");
  CHECK_THROWS_WITH_AS(load_spec(folder / "net.json"),
                       doctest::Contains("net.json:1: image_size, patch_size, heads, "
                                         "mlp_hidden, classes are missing"),
                       Error);
}

TEST_CASE(
    "the JSON of a spec says all that the network is, and files without the newer keys read") {
  ModelSpec spec = named_spec("vit_micro");
  const std::string sizes =
      R"("heads":3,"image_size":64,"in_channels":3,"mlp_hidden":192,"name":"vit_micro",)"
      R"("norm_eps":1e-06,)";
  const std::string earlier =
      concat(R"({"classes":7,"depth":2,"family":"vit",)", sizes, R"("patch_size":16,"width":48})");
  CHECK(parse_model_spec(earlier, "net.json") == spec);
  const std::string plain =
      R"({"activation":"gelu","attention_scale":0.0,"class_token":true,"classes":7,"depth":2,)"
      R"("distillation":false,"embedding_norm":false,"family":"vit","fc_norm":false,)"
      R"("final_norm":true,"heads":3,"image_size":64,"in_channels":3,"layer_scale":false,)"
      R"("mlp_hidden":192,"name":"vit_micro","norm_eps":1e-06,"patch_bias":true,"patch_size":16,)"
      R"("pooling":"class_token","position_resize":"plain","positions":"all","post_norm":false,)"
      R"("pre_logits":0,"projection":0,"qkv_bias":"all","registers":0,)";
  CHECK(json_text(to_json(spec)) == plain + R"("width":48})");
  spec.shift_add.blocks.assign(2, {.mlp = LayerKind::kShift});
  spec.shift_add.int8_activations = true;
  const std::string block =
      R"({"attention":"softmax","mlp":"shift","proj":"multiply","qkv":"multiply"})";
  const std::string converted =
      concat(plain, R"("shift_add":{"activations":"int8","blocks":[)", block, ",", block,
             R"(],"codes":"sign","form":"q","format":"4bit","gate":"straight_through",)",
             R"("local":"token_conv","value":"float"},"width":48})");
  CHECK(json_text(to_json(spec)) == converted);
  CHECK(parse_model_spec(converted, "net.json") == spec);
}

TEST_CASE("a spec whose head reads what is not there is refused by its key") {
  const auto refused = [](const char* key, const char* text) {
    CAPTURE(text);
    const std::string json = concat(R"({"base": "vit_micro", )", text, "}");
    CHECK_THROWS_WITH_AS(parse_model_spec(json, "net.json"),
                         doctest::Contains(concat("net.json:1: ", key, ": ").c_str()), Error);
  };
  refused("pooling", R"("class_token": false)");
  refused("pooling", R"("class_token": false, "pooling": "class_token_and_mean")");
  refused("distillation", R"("distillation": true, "class_token": false, "pooling": "mean")");
  refused("distillation", R"("distillation": true, "classes": 0)");
  refused("distillation", R"("distillation": true, "fc_norm": true)");
  refused("distillation", R"("distillation": true, "registers": 2)");
  refused("registers", R"("registers": -1)");
  refused("projection", R"("projection": 0.5)");
  refused("attention_scale", R"("attention_scale": -1)");
  refused("activation", R"("activation": "silu")");
}

TEST_CASE("errors of a spec name file, line and key; its help names every key") {
  const auto refused = [](const char* text, const char* reason) {
    CHECK_THROWS_WITH_AS(parse_model_spec(text, "net.json"), reason, Error);
  };
  refused("{\"base\": \"vit_micro\",\n\"width\": 100}",
          "net.json:2: width: 100 is not divisible by heads 3");
  refused("{\"base\": \"vit_micro\", \"shift_add\": {\n\"blocks\": [{},\n{\"mlp\": \"shfit\"}]}}",
          "net.json:3: shift_add.blocks[1].mlp: expected one of \"multiply\", \"shift\", "
          "\"mixture\", got \"shfit\"; did you mean 'shift'?");
  refused("{\"base\": \"vit_micro\", \"shift_add\": {\n\"form\": \"ps\"}}",
          "net.json:2: shift_add.form: 'ps' has no per-row scale: use it with format '5bit'");
  refused(R"({"base": "vit_micro", "mlp": "shift"})",
          "net.json:1: mlp: unknown key; did you mean 'shift_add.blocks[].mlp'?");
  refused(R"({"base": "vit_micro" "width": 3})", "net.json:1:22: expected ',' or '}', got '\"'");
  const std::string help = model_spec_help();
  const json written = to_json(named_spec("vit_micro"));
  for (const auto& [key, value] : written.items())
    CHECK_MESSAGE(test::contains(help, "  " + key + " = "), key);
  CHECK(test::contains(help, "shift_add.blocks[].attention = \"softmax\" (\"softmax\" | "));
}

TEST_CASE("two specs are compared by the keys that differ") {
  const ModelSpec plain = named_spec("vit_cifar");  // 6 blocks
  ModelSpec other = plain;
  other.name = "another";
  CHECK(spec_difference(plain, other).empty());
  other.shift_add.blocks.assign(6, {});  // written out, and plain all the same
  CHECK(spec_difference(plain, other).empty());
  other.depth = 12, other.heads = 2, other.norm_eps = 1e-5, other.shift_add = {};
  CHECK(spec_difference(plain, other) ==
        "depth 6 instead of 12, heads 4 instead of 2, norm_eps 1e-06 instead of 1e-05");

  ModelSpec shifted = plain;
  shifted.shift_add.blocks.assign(6, {.mlp = LayerKind::kShift});
  shifted.shift_add.blocks[4].mlp = LayerKind::kMultiply;
  shifted.shift_add.blocks[2].attention = AttentionKind::kLinearAdd;
  CHECK(spec_difference(shifted, plain) ==
        "blocks.2.attention linear_add instead of softmax, "
        "blocks.0-3,5.mlp shift instead of multiply");
  ModelSpec options = shifted;
  options.shift_add.codes = Codes::kUnitHead;
  options.shift_add.blocks[3].mlp = LayerKind::kMixture;
  CHECK(spec_difference(options, shifted) ==
        "shift_add.codes unit_head instead of sign, blocks.3.mlp mixture instead of shift");
}

TEST_CASE("sizes of images are a number or two, height first") {
  nlohmann::json json = to_json(named_spec("vit_cifar"));
  json["image_size"] = {16, 32};
  const ModelSpec spec = parsed(json);
  CHECK(spec.image_size == Grid{16, 32});
  CHECK(spec.grid() == Grid{4, 8});
  CHECK(spec.tokens() == 33);
  CHECK(spec.image_values() == 3 * 16 * 32);
  CHECK(to_json(spec) == json);
  CHECK(network_of(spec).image == Grid{16, 32});
  CHECK(spec_difference(spec, named_spec("vit_cifar")) == "image_size [16,32] instead of 32");
  json["image_size"] = {32, 32};
  CHECK(to_json(parsed(json)).at("image_size") == 32);
  json["image_size"] = {32, 30};
  CHECK_THROWS_WITH_AS(parsed(json), doctest::Contains("30 is not divisible by patch_size 4"),
                       Error);
  Preprocess p{.resize_mode = ResizeMode::kSquash, .crop = {160, 224}, .mean = {0.5F}, .std = {2}};
  CHECK(parse_preprocess(json_text(to_json(p)), "p") == p);
  CHECK(json_text(to_json(p).at("crop")) == "[160,224]");
  CHECK(p.batch_shape(2) == Shape{2, 1, 160, 224});
}

TEST_CASE("preprocessing survives its JSON form and names bad keys") {
  Preprocess p;
  p.resize = 0;
  p.crop = 32;
  p.interpolation = Interpolation::kBilinear;
  p.mean = {0.5f, 0.1f, 0.485f};
  CHECK(parse_preprocess(json_text(to_json(p)), "p") == p);
  CHECK(json_text(to_json(p).at("mean")) == "[0.5,0.1,0.485]");
  CHECK(json_text(to_json(p)) ==
        R"({"crop":32,"exif_orientation":false,"interpolation":"bilinear","mean":[0.5,0.1,0.485],)"
        R"("resize":0,"resize_mode":"shorter","std":[0.229,0.224,0.225]})");
  CHECK(parse_preprocess(R"({"crop": 16})", "p", p).mean == p.mean);
  const auto refused = [](const char* text, const char* reason) {
    CHECK_THROWS_WITH_AS(parse_preprocess(text, "p.json"), reason, Error);
  };
  refused(R"({"crop": 0})",
          "p.json:1: crop: expected a whole number from 1 to 16384, or [height, width], got 0");
  refused("{\n\"std\": [1, 1, 0]}", "p.json:2: std: expected a list of numbers, each > 0, got 0");
  refused(R"({"mean": [1, 1]})",
          "p.json:1: mean: expected 3 numbers (red, green, blue) or 1 (gray), got 2");
  refused(R"({"mean": [1, 1, 1e300]})", "p.json:1: mean: float32 cannot hold 1e+300");
  refused(R"({"crop": [224]})",
          "p.json:1: crop: expected a whole number, or a list of two: [height, width], got a list "
          "of 1");
  refused(R"({"crop": [224, 0]})",
          "p.json:1: crop: expected a whole number from 1 to 16384, or [height, width], got 0");
  refused(R"({"mean": [0.5]})",
          "p.json:1: mean: mean has 1 numbers and std 3: expected 3 each, or 1 each for gray "
          "images");
  refused(R"({"interpolation": "cubic"})",
          "p.json:1: interpolation: expected one of \"bilinear\", \"bicubic\", got \"cubic\"; did "
          "you mean 'bicubic'?");
  refused(R"({"mena": 1})", "p.json:1: mena: unknown key; did you mean 'mean'?");
  refused(R"({"crop": 1,})", "p.json:1:11: trailing comma before '}': remove it");
}
