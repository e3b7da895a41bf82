// shiftadd-convert on checkpoints that say by themselves, or by what lies beside them, which
// network they hold; and back into their publisher's names.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/io/files.h"
#include "model/model_file.h"
#include "model/positions.h"
#include "tests/model/foreign_support.h"

using namespace shiftadd;
using test::contains;
using test::ProcessResult;

namespace {

ProcessResult convert(const std::string& in, const std::string& out,
                      std::vector<std::string> more = {}) {
  more.insert(more.begin(), {test::program("shiftadd-convert"), in, "--out", out});
  return test::run(more);
}

// 64 channels: one head, as all published networks have it.
ModelSpec published() {
  ModelSpec spec;
  spec.name = "vit_width64_depth1_patch4_8";
  spec.image_size = 8, spec.patch_size = 4, spec.width = 64, spec.depth = 1, spec.heads = 1;
  spec.mlp_hidden = 12, spec.classes = 5;
  return spec;
}

std::string save(const std::string& path, const NamedTensors& tensors) {
  write_safetensors(path, {tensors, {{"format", "pt"}}, {}});
  return path;
}

void check_same(const std::string& file, const NamedTensors& expected) {
  const TensorFile found = read_safetensors(file);
  CHECK(found.tensors.size() == expected.size());
  for (const auto& [name, tensor] : expected) {
    const Tensor* same = test::tensor_in(found.tensors, name);
    CHECK_MESSAGE((same && test::same_bytes(*same, tensor)), name);
  }
}

}  // namespace

TEST_CASE("a foreign file becomes a model and goes back to its own names, byte for byte") {
  const test::TemporaryFolder folder;
  const std::string ours = folder / "m.safetensors", back = folder / "b.safetensors";
  ModelSpec spec = published();
  spec.qkv_bias = QkvBias::kQueryValue;
  const NamedTensors weights = test::numbered_weights(spec);
  for (const char* to : {"timm", "huggingface"}) {
    NamedTensors theirs = under_names_of(to, "", spec, weights);
    for (auto& [name, tensor] : theirs) tensor = tensor.to(DType::kF16);
    const std::string in = save(folder / "in.safetensors", theirs);
    const ProcessResult result = convert(in, ours);
    REQUIRE_MESSAGE(result.status == 0, result.err);
    CHECK(contains(result.err, "assumed: heads 1 (width / 64)"));
    CHECK(contains(result.err, concat("shiftadd-infer ", ours, " --eval FOLDER")));
    ModelSpec expected = spec;
    const ModelSpec found = load_model(ours).spec;
    expected.norm_eps = found.norm_eps, expected.position_resize = found.position_resize;
    CHECK(spec_difference(found, expected) == "");
    for (const char* target : {"origin", to}) {
      REQUIRE(convert(ours, back, {"--to", target}).status == 0);
      check_same(back, theirs);
    }
    REQUIRE(convert(in, back, {"--to", "origin"}).status == 0);  // in one step
    check_same(back, theirs);
  }
  const ProcessResult other = convert(ours, back, {"--to", "torchvision"});
  CHECK(other.status == 0);  // a zero bias of k is what torchvision would have learnt
  const ProcessResult none = convert(ours, back, {"--to", "open_clip"});
  CHECK(none.status == 2);
  CHECK(contains(none.err, "has no names for all of this network"));
}

TEST_CASE("what lies beside a checkpoint counts before what is assumed, options before both") {
  const test::TemporaryFolder folder;
  const std::string ours = folder / "m.safetensors";
  const NamedTensors weights = test::numbered_weights(published());
  const std::string in =
      save(folder / "model.safetensors", under_names_of("huggingface", "", published(), weights));
  test::write_text(folder / "config.json",
                   R"({"model_type": "vit", "architectures": ["ViTForImageClassification"],
                       "num_attention_heads": 2, "layer_norm_eps": 1e-7, "hidden_act": "relu",
                       "patch_size": 4, "image_size": 8, "num_channels": 3})");
  const ProcessResult result = convert(in, ours);
  REQUIRE_MESSAGE(result.status == 0, result.err);
  CHECK(contains(result.err, concat("known: heads 2 (", folder / "config.json", ")")));
  ModelSpec spec = load_model(ours).spec;
  CHECK(spec.heads == 2);
  CHECK(spec.norm_eps == 1e-7);
  CHECK(spec.activation == HiddenActivation::kRelu);
  REQUIRE(convert(in, ours, {"--heads", "4", "--set", "activation=gelu_tanh"}).status == 0);
  spec = load_model(ours).spec;
  CHECK(spec.heads == 4);
  CHECK(spec.activation == HiddenActivation::kGeluTanh);
  test::write_text(folder / "config.json", R"({"model_type": "vit", "patch_size": 16})");
  const ProcessResult wrong = convert(in, ours);
  CHECK(wrong.status == 2);
  CHECK(contains(wrong.err, "belongs to another checkpoint"));
}

TEST_CASE("--image-size resizes positions and preprocessing") {
  const test::TemporaryFolder folder;
  const std::string in = save(folder / "in.safetensors", test::numbered_weights(published()));
  const std::string ours = folder / "m.safetensors";
  REQUIRE(convert(in, ours, {"--image-size", "16", "--positions", "plain"}).status == 0);
  const ModelFile model = load_model(ours);
  CHECK(model.spec.image_size == 16);
  CHECK(model.preprocess.crop == 16);
  const TensorFile file = read_safetensors(in);
  const Tensor* before = test::tensor_in(file.tensors, "pos_embed");
  const Tensor* after = test::tensor_in(model.weights, "pos_embed");
  REQUIRE(before);
  REQUIRE(after);
  test::check_close(*after, resize_positions(*before, 1, Grid(2), Grid(4), PositionResize::kPlain),
                    0, "positions");
  CHECK(convert(in, ours, {"--image-size", "15"}).status == 2);
}

TEST_CASE("other networks are refused by what they are called") {
  const test::TemporaryFolder folder;
  const std::string ours = folder / "m.safetensors";
  for (const auto& [name, part] : {std::pair{"rope_embed.periods", "rotary positions"},
                                   {"blocks.0.attn.relative_position_bias_table", "relative"},
                                   {"blocks.0.attn.rel_pos_h", "relative"},
                                   {"layers.0.blocks.0.attn.qkv.weight", "windowed attention"},
                                   {"blocks.0.attn.q_norm.weight", "a norm of q and k"},
                                   {"patch_embed.backbone.stem.weight", "a convolutional stem"},
                                   {"attn_pool.latent", "attention pooling"}}) {
    NamedTensors tensors = test::numbered_weights(published());
    tensors.emplace_back(name, Tensor::full({3}, 1));
    const ProcessResult result = convert(save(folder / "in.safetensors", tensors), ours);
    CHECK(result.status == 2);
    CHECK_MESSAGE(contains(result.err, concat(name, " belongs to ", part)), result.err);
  }
  CHECK_FALSE(std::filesystem::exists(ours));
}

TEST_CASE("a mapping file speaks of networks, too") {
  const test::TemporaryFolder folder;
  NamedTensors tensors;
  for (const auto& [name, tensor] : test::numbered_weights(published())) {
    std::string theirs = name;
    for (const auto& [ours, other] : {std::pair{"blocks.", "encoder.layers."},
                                      {"attn.qkv.", "self_attn.in_proj_"},
                                      {"attn.proj.", "self_attn.out_proj."},
                                      {"mlp.fc1.", "linear1."},
                                      {"mlp.fc2.", "linear2."}})
      if (const std::size_t at = theirs.find(ours); at != std::string::npos)
        theirs.replace(at, std::char_traits<char>::length(ours), other);
    tensors.emplace_back("module." + theirs, tensor);
  }
  const std::string ours = folder / "m.safetensors", in = save(folder / "in.safetensors", tensors);
  const ProcessResult result =
      convert(in, ours,
              {"--mapping", test::source_folder() + "/configs/mappings/transformer_encoder.json"});
  REQUIRE_MESSAGE(result.status == 0, result.err);
  const ModelSpec spec = load_model(ours).spec;
  CHECK(spec.post_norm);
  CHECK(spec.activation == HiddenActivation::kRelu);
  REQUIRE(convert(ours, folder / "b.safetensors", {"--to", "origin"}).status == 0);
  for (auto& [name, tensor] : tensors) name = name.substr(7);
  check_same(folder / "b.safetensors", tensors);
}

TEST_CASE("options of a network are held against each other and against the tensors") {
  const test::TemporaryFolder folder;
  const std::string in = save(folder / "in.safetensors", test::numbered_weights(published()));
  const std::string ours = folder / "m.safetensors";
  const auto refused = [&](const std::vector<std::string>& options, const std::string& why) {
    const ProcessResult result = convert(in, ours, options);
    CHECK(result.status == 2);
    CHECK_MESSAGE(contains(result.err, why), result.err);
  };
  refused({"--heads", "2", "--set", "heads=4"}, "--set heads=4 and --heads 2 say different things");
  refused({"--set", "heads=2", "--set", "heads=4"}, "--set heads=2 and --set heads=4");
  refused({"--activation", "foo"}, "--activation foo: activation: ");
  refused({"--set", "width=96"}, "--set width=96: the tensors tell width 64");
  refused({"--set", "image_size=[4,12]"}, "expected those of 1 x 3 patches");
  REQUIRE(convert(in, ours, {"--heads", "2", "--set", "heads=2", "--set", "width=64"}).status == 0);
  REQUIRE(convert(in, ours, {"--image-size", "24x40"}).status == 0);
  const ModelFile model = load_model(ours);
  CHECK(model.spec.name == "vit_width64_depth1_patch4_24x40");
  CHECK(model.preprocess.resize == 0);
  REQUIRE(convert(in, ours, {"--image-size", "224"}).status == 0);
  CHECK(load_model(ours).preprocess.resize == 256);  // small images tell no share
}

TEST_CASE("a network without a head is checked by its features") {
  const test::TemporaryFolder folder;
  ModelSpec spec = published();
  spec.classes = 0;
  const std::string in = save(folder / "in.safetensors", test::numbered_weights(spec));
  const std::string ours = folder / "m.safetensors";
  const ProcessResult result = convert(in, ours);
  REQUIRE_MESSAGE(result.status == 0, result.err);
  CHECK(contains(result.err, "assumed: no head: the answer is features"));
  CHECK(contains(result.err, "assumed: attention_scale 1 / sqrt(width / heads)"));
  CHECK(contains(result.err, "known: registers none"));
  CHECK(contains(result.err, concat("shiftadd-infer ", ours, " --features IMAGE --json")));
}
