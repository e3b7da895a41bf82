// Tensors that the network has no place for, copies of one network, prefixes, types that are not
// read.
#include "model/leftovers.h"

#include <nlohmann/json.hpp>

#include "core/io/average_name.h"
#include "core/io/json_text.h"
#include "model/convert.h"
#include "tests/model/tiny_weights.h"
#include "tests/support/support.h"

using namespace shiftadd;
using test::mentions;
using test::tiny_spec;
using test::weights_of;

namespace {

Tensor three() { return Tensor::full({3}, 9); }

// The network under each prefix, every copy with numbers of its own.
WeightsFile copies(const std::vector<std::string>& prefixes) {
  WeightsFile file;
  for (std::size_t i = 0; i < prefixes.size(); ++i)
    for (const auto& [name, tensor] : weights_of(tiny_spec(), prefixes[i]).tensors)
      file.tensors.emplace_back(name, Tensor::full(tensor.shape(), static_cast<double>(i)));
  return file;
}

float first_value(const Conversion& conversion) {
  return conversion.weights.at(0).second.data<float>()[0];
}

}  // namespace

TEST_CASE("a tensor that is left over is an error that names it and how to drop it") {
  const ModelSpec spec = tiny_spec();
  for (const char* prefix : {"", "module."}) {
    for (const char* name : {"decoder.weight", "aux_head.bias", "neck.0.scale", "head_2.weight",
                             "pre_logits.fc.weight", "blocks.0.ls1.gamma", "norm_pre.bias"}) {
      WeightsFile file = weights_of(spec, prefix);
      file.tensors.emplace_back(std::string(prefix) + name, three());
      const std::string source = std::string(prefix) + name;
      const Conversion result = convert_weights(file, spec, {});
      CHECK_MESSAGE(mentions(result, source + "(3,) "), source);
      CHECK(mentions(result, "--ignore '" + source + "'"));
      CHECK(result.count(TensorStatus::kUnused) == 1);
      // Dropped by its name, by a pattern, by a rule.
      for (const std::string& pattern : {source, source.substr(0, source.size() - 1) + "*"})
        CHECK(
            convert_weights(file, spec, {}, {.prefix = {}, .ignore = {pattern}}).problems.empty());
      const Dialect rule = Dialect::parse(
          concat(R"({"rules": [{"from": ")", source, R"(", "ignore": true}]})"), "rules.json");
      CHECK(convert_weights(file, spec, {rule}).problems.empty());
    }
  }
  const Conversion unknown =
      convert_weights(weights_of(spec), spec, {}, {.prefix = {}, .ignore = {"head.weigth"}});
  CHECK(mentions(unknown, "--ignore 'head.weigth' matches no tensor; did you mean 'head.weight'?"));
  const Conversion needed =
      convert_weights(weights_of(spec), spec, {}, {.prefix = {}, .ignore = {"head.*"}});
  CHECK(mentions(needed, "head.weight is missing"));
}

TEST_CASE("counters, constants and training state are no loss") {
  const ModelSpec spec = tiny_spec();
  for (const char* name :
       {"norm.num_batches_tracked", "embeddings.position_ids", "blocks.0.attn.total_ops",
        "blocks.1.attn.relative_position_index", "blocks.1.attn_mask", "mask_token",
        "optimizer.exp_avg.cls_token", "step", "n_averaged", "ema.head.bias", "decoder_embed.bias",
        "lr_scheduler.last", "scaler.scale"}) {
    WeightsFile file = weights_of(spec, "net.");
    file.tensors.emplace_back(name, three());
    file.tensors.emplace_back(std::string("net.") + name, three());
    const Conversion result = convert_weights(file, spec, {});
    CHECK_MESSAGE(result.problems.empty(), name);
    CHECK(result.count(TensorStatus::kUnused) == 2);
    CHECK(result.report.back().note != "not part of the network");
  }
  CHECK(harmless_leftover("blocks.0.scaler.weight") == nullptr);
  CHECK(harmless_leftover("steps.weight") == nullptr);
}

TEST_CASE("of two copies the plain one is used, or both are named; the alphabet has no say") {
  struct Case {
    std::vector<std::string> prefixes;
    int chosen;  // -1: none
  };
  const ModelSpec spec = tiny_spec();
  for (const Case& each :
       {Case{{"ema.", "net."}, 1}, Case{{"net.", "ema."}, 0},
        Case{{"model.", "model_ema.module."}, 0}, Case{{"averaged_model.", "zoo."}, 1},
        Case{{"ema.", ""}, 1}, Case{{"module.", "module.ema."}, 0}, Case{{"", "teacher."}, 0},
        Case{{"base_encoder.", "momentum_encoder."}, 0}, Case{{"ema."}, 0},
        Case{{"teacher.", "student."}, -1}, Case{{"a.", "b."}, -1},
        Case{{"generator.module.", "discriminator.module."}, -1}, Case{{"ema.", "swa.module."}, -1},
        Case{{"x.", "y.", "ema."}, -1}}) {
    const WeightsFile file = copies(each.prefixes);
    const std::string all = json_text(nlohmann::json(each.prefixes));
    INFO(all);
    const Conversion result = convert_weights(file, spec, {});
    CHECK(result.problems.empty() == (each.chosen >= 0));
    if (each.chosen >= 0) {
      CHECK(result.prefix == each.prefixes[static_cast<std::size_t>(each.chosen)]);
      CHECK(first_value(result) == static_cast<float>(each.chosen));
    } else {
      CHECK(mentions(result, "'" + each.prefixes[0] + "'"));
      CHECK(mentions(result, "'" + each.prefixes[1] + "'"));
      CHECK(mentions(result, "--prefix"));
    }
    for (std::size_t i = 0; i < each.prefixes.size(); ++i) {  // and any can be asked for
      const Conversion asked =
          convert_weights(file, spec, {}, {.prefix = each.prefixes[i], .ignore = {}});
      CHECK(asked.problems.empty());
      CHECK(first_value(asked) == static_cast<float>(i));
    }
  }
  CHECK(mentions(
      convert_weights(copies({"net.", "ema."}), spec, {}, {.prefix = "nte.", .ignore = {}}),
      "under --prefix 'nte.'; most of them do under 'ema.', 'net.'"));
}

TEST_CASE("a plain copy that is cut short is not replaced by its average") {
  WeightsFile file = copies({"ema.", "net."});
  file.tensors.pop_back();
  const Conversion result = convert_weights(file, tiny_spec(), {});
  CHECK(result.prefix == "net.");
  CHECK(mentions(result, "head.bias is missing"));
}

TEST_CASE("a prefix counts only if it fits most of the network") {
  const ModelSpec spec = tiny_spec();
  WeightsFile file;
  for (const char* name : {"neck.head.weight", "neck.head.bias", "neck.cls_token"})
    file.tensors.emplace_back(name, three());
  const Conversion result = convert_weights(file, spec, {});
  CHECK(result.prefix.empty());
  CHECK(mentions(result, "no prefix fits most of the network: the best, 'neck.', has 3 of its 32"));
  // Of two networks of other sizes, the one that fits the architecture is meant.
  ModelSpec wide = spec;
  wide.width = 8;
  WeightsFile two = weights_of(wide, "teacher.");
  for (auto& each : weights_of(spec, "student.").tensors) two.tensors.push_back(each);
  CHECK(convert_weights(two, spec, {}).prefix == "student.");
  CHECK(convert_weights(two, wide, {}).prefix == "teacher.");
  CHECK(convert_weights(two, wide, {}).problems.empty());
}

TEST_CASE("a tensor of a type that is not read refuses the file only where it is used") {
  const ModelSpec spec = tiny_spec();
  for (const char* name : {"freqs_cis", "blocks.0.attn.scale", "head_fp8"}) {
    WeightsFile file = weights_of(spec, "module.");
    file.unread = {{concat("module.", name), "is of the type torch.ComplexFloatStorage"}};
    const Conversion result = convert_weights(file, spec, {});
    CHECK(result.problems.empty());
    CHECK(result.report.back().note == "is of the type torch.ComplexFloatStorage");
  }
  for (const char* name : {"cls_token", "head.bias", "blocks.1.mlp.fc1.weight"}) {
    WeightsFile file = weights_of(spec, "module.");
    std::erase_if(file.tensors,
                  [&](const auto& each) { return each.first == concat("module.", name); });
    file.unread = {{concat("module.", name), "is of type F8_E4M3, which is not read"}};
    CHECK(mentions(convert_weights(file, spec, {}), concat("(", name, ") is of type F8_E4M3")));
  }
}

TEST_CASE("numbers beyond float32 are refused as those that are not finite") {
  const ModelSpec spec = tiny_spec();
  for (const double value : {1e39, -1e300, 4e38}) {
    WeightsFile file = weights_of(spec);
    file.tensors.back().second = Tensor::full({3}, value, DType::kF64);
    CHECK(mentions(convert_weights(file, spec, {}), "head.bias has 3 values that are not finite"));
  }
  WeightsFile file = weights_of(spec);
  file.tensors.back().second = Tensor::full({3}, 1e38, DType::kF64);
  CHECK(convert_weights(file, spec, {}).problems.empty());
}

TEST_CASE("moving averages by name") {
  for (const char* name : {"ema", "model_ema", "EMA.module", "swa_model", "averaged", "x.ema.y"})
    CHECK(is_average_name(name));
  for (const char* name : {"", "schema", "model", "teacher", "emab", "momentary"})
    CHECK_FALSE(is_average_name(name));
}
