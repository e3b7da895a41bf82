// How publishers name the tensors of vision transformers: one table each, the more telling first.
#include "model/dialect_tables.h"

namespace shiftadd {
namespace {

// Spellings that others than timm have who name the rest as timm does.
constexpr const char* kTimm = R"(
  {"from": "blocks.{N}.mlp.fc1.{part}", "to": "blocks.{N}.mlp.fc1.{part}"},
  {"from": ["blocks.{N}.attn.q_bias", "{zeros}", "blocks.{N}.attn.v_bias"],
   "to": "blocks.{N}.attn.qkv.bias", "spec": ["qkv_bias=qv"]},
  {"from": ["blocks.{N}.mlp.fc1_g.{part}", "blocks.{N}.mlp.fc1_x.{part}"],
   "to": "blocks.{N}.mlp.fc1.{part}", "spec": ["activation=swiglu"]})";

constexpr const char* kDeit3 = R"(
  {"from": "blocks.{N}.gamma_1", "to": "blocks.{N}.ls1.gamma"},
  {"from": "blocks.{N}.gamma_2", "to": "blocks.{N}.ls2.gamma"})";

// Checkpoints of sharded trainings number groups of blocks, too.
constexpr const char* kDinov2 = R"(
  {"from": "register_tokens", "to": "reg_token"},
  {"from": "blocks.{N}.mlp.w12.{part}", "to": "blocks.{N}.mlp.fc1.{part}",
   "spec": ["activation=swiglu"]},
  {"from": "blocks.{N}.mlp.w3.{part}", "to": "blocks.{N}.mlp.fc2.{part}",
   "spec": ["activation=swiglu"]},
  {"from": "blocks.{C}.{N}.mlp.w12.{part}", "to": "blocks.{N}.mlp.fc1.{part}",
   "spec": ["activation=swiglu"]},
  {"from": "blocks.{C}.{N}.mlp.w3.{part}", "to": "blocks.{N}.mlp.fc2.{part}",
   "spec": ["activation=swiglu"]},
  {"from": "blocks.{C}.{N}.{part}", "to": "blocks.{N}.{part}"})";

constexpr const char* kHuggingFace = R"(
  {"from": "@embeddings.cls_token", "to": "cls_token"},
  {"from": "@embeddings.position_embeddings", "to": "pos_embed"},
  {"from": "@embeddings.patch_embeddings.projection.{part}", "to": "patch_embed.proj.{part}"},
  {"from": ["@encoder.layer.{N}.attention.attention.query.weight",
            "@encoder.layer.{N}.attention.attention.key.weight",
            "@encoder.layer.{N}.attention.attention.value.weight"],
   "to": "blocks.{N}.attn.qkv.weight"},
  {"from": ["@encoder.layer.{N}.attention.attention.query.bias",
            "@encoder.layer.{N}.attention.attention.key.bias",
            "@encoder.layer.{N}.attention.attention.value.bias"],
   "to": "blocks.{N}.attn.qkv.bias", "spec": ["qkv_bias=all"]},
  {"from": ["@encoder.layer.{N}.attention.attention.query.bias", "{zeros}",
            "@encoder.layer.{N}.attention.attention.value.bias"],
   "to": "blocks.{N}.attn.qkv.bias", "spec": ["qkv_bias=qv"]},
  {"from": "@encoder.layer.{N}.attention.output.dense.{part}", "to": "blocks.{N}.attn.proj.{part}"},
  {"from": "@layernorm.{part}", "to": "norm.{part}"})";

constexpr const char* kHuggingFaceVit = R"(
  {"from": "@encoder.layer.{N}.layernorm_before.{part}", "to": "blocks.{N}.norm1.{part}"},
  {"from": "@encoder.layer.{N}.layernorm_after.{part}", "to": "blocks.{N}.norm2.{part}"},
  {"from": "@encoder.layer.{N}.intermediate.dense.{part}", "to": "blocks.{N}.mlp.fc1.{part}"},
  {"from": "@encoder.layer.{N}.output.dense.{part}", "to": "blocks.{N}.mlp.fc2.{part}"},
  {"from": "@pooler.dense.{part}", "ignore": true, "where": "classifier.weight"},
  {"from": "@pooler.dense.{part}", "ignore": true, "where": "cls_classifier.weight"},
  {"from": "@pooler.dense.{part}", "to": "pre_logits.fc.{part}"},
  {"from": "cls_classifier.{part}", "to": "head.{part}", "spec": ["distillation=true"]},
  {"from": "classifier.{part}", "to": "head.{part}"})";

// Without a second head, the distillation token is one more that only the blocks see.
constexpr const char* kHuggingFaceDeit = R"(
  {"from": "@embeddings.distillation_token", "to": "dist_token",
   "where": "distillation_classifier.weight"},
  {"from": "@embeddings.distillation_token", "to": "reg_token",
   "spec": ["registers=1", "positions=all"]},
  {"from": "distillation_classifier.{part}", "to": "head_dist.{part}"})";

constexpr const char* kHuggingFaceDinov2 = R"(
  {"from": "@encoder.layer.{N}.norm1.{part}", "to": "blocks.{N}.norm1.{part}"},
  {"from": "@encoder.layer.{N}.norm2.{part}", "to": "blocks.{N}.norm2.{part}"},
  {"from": "@encoder.layer.{N}.layer_scale1.lambda1", "to": "blocks.{N}.ls1.gamma"},
  {"from": "@encoder.layer.{N}.layer_scale2.lambda1", "to": "blocks.{N}.ls2.gamma"},
  {"from": "@encoder.layer.{N}.mlp.weights_in.{part}", "to": "blocks.{N}.mlp.fc1.{part}",
   "spec": ["activation=swiglu"]},
  {"from": "@encoder.layer.{N}.mlp.weights_out.{part}", "to": "blocks.{N}.mlp.fc2.{part}",
   "spec": ["activation=swiglu"]},
  {"from": "@encoder.layer.{N}.mlp.{part}", "to": "blocks.{N}.mlp.{part}"},
  {"from": "classifier.{part}", "to": "head.{part}"})";

constexpr const char* kHuggingFaceRegisters = R"(
  {"from": "@embeddings.register_tokens", "to": "reg_token"})";

// Both spellings of the MLP: torchvision's own of today, and that of its first files.
constexpr const char* kTorchvision = R"(
  {"from": "class_token", "to": "cls_token"},
  {"from": "conv_proj.{part}", "to": "patch_embed.proj.{part}"},
  {"from": "encoder.pos_embedding", "to": "pos_embed"},
  {"from": "encoder.layers.encoder_layer_{N}.ln_1.{part}", "to": "blocks.{N}.norm1.{part}"},
  {"from": "encoder.layers.encoder_layer_{N}.ln_2.{part}", "to": "blocks.{N}.norm2.{part}"},
  {"from": "encoder.layers.encoder_layer_{N}.self_attention.in_proj_{part}",
   "to": "blocks.{N}.attn.qkv.{part}"},
  {"from": "encoder.layers.encoder_layer_{N}.self_attention.out_proj.{part}",
   "to": "blocks.{N}.attn.proj.{part}"},
  {"from": "encoder.layers.encoder_layer_{N}.mlp.linear_1.{part}", "to": "blocks.{N}.mlp.fc1.{part}"},
  {"from": "encoder.layers.encoder_layer_{N}.mlp.linear_2.{part}", "to": "blocks.{N}.mlp.fc2.{part}"},
  {"from": "encoder.layers.encoder_layer_{N}.mlp.0.{part}", "to": "blocks.{N}.mlp.fc1.{part}"},
  {"from": "encoder.layers.encoder_layer_{N}.mlp.3.{part}", "to": "blocks.{N}.mlp.fc2.{part}"},
  {"from": "encoder.ln.{part}", "to": "norm.{part}"},
  {"from": "heads.pre_logits.{part}", "to": "pre_logits.fc.{part}"},
  {"from": "heads.head.{part}", "to": "head.{part}"},
  {"from": "heads.0.{part}", "to": "head.{part}"},
  {"from": "heads.{part}", "to": "head.{part}"})";

constexpr const char* kClip = R"(
  {"from": "@class_embedding", "to": "cls_token", "squeeze": true},
  {"from": "@positional_embedding", "to": "pos_embed", "squeeze": true},
  {"from": "@conv1.{part}", "to": "patch_embed.proj.{part}"},
  {"from": "@ln_pre.{part}", "to": "norm_pre.{part}"},
  {"from": "@transformer.resblocks.{N}.ln_1.{part}", "to": "blocks.{N}.norm1.{part}"},
  {"from": "@transformer.resblocks.{N}.ln_2.{part}", "to": "blocks.{N}.norm2.{part}"},
  {"from": "@transformer.resblocks.{N}.attn.in_proj_{part}", "to": "blocks.{N}.attn.qkv.{part}"},
  {"from": "@transformer.resblocks.{N}.attn.out_proj.{part}", "to": "blocks.{N}.attn.proj.{part}"},
  {"from": "@transformer.resblocks.{N}.mlp.c_fc.{part}", "to": "blocks.{N}.mlp.fc1.{part}"},
  {"from": "@transformer.resblocks.{N}.mlp.c_proj.{part}", "to": "blocks.{N}.mlp.fc2.{part}"},
  {"from": "@transformer.resblocks.{N}.ls_1.gamma", "to": "blocks.{N}.ls1.gamma"},
  {"from": "@transformer.resblocks.{N}.ls_2.gamma", "to": "blocks.{N}.ls2.gamma"},
  {"from": "@ln_post.{part}", "to": "norm.{part}"},
  {"from": "@proj", "to": "projection.weight", "transpose": true})";

// The text tower, and what OpenAI's files hold beside both.
constexpr const char* kClipText = R"(
  {"from": "transformer.{rest}", "ignore": true, "where": "visual.conv1.weight"},
  {"from": "positional_embedding", "ignore": true, "where": "visual.conv1.weight"},
  {"from": "token_embedding.weight", "ignore": true, "where": "visual.conv1.weight"},
  {"from": "ln_final.{part}", "ignore": true, "where": "visual.conv1.weight"},
  {"from": "text.{rest}", "ignore": true, "where": "visual.conv1.weight"},
  {"from": "text_projection", "ignore": true},
  {"from": "logit_scale", "ignore": true},
  {"from": "logit_bias", "ignore": true},
  {"from": "input_resolution", "ignore": true},
  {"from": "context_length", "ignore": true},
  {"from": "vocab_size", "ignore": true})";

constexpr const char* kHuggingFaceClip = R"(
  {"from": "@embeddings.class_embedding", "to": "cls_token", "squeeze": true},
  {"from": "@embeddings.position_embedding.weight", "to": "pos_embed", "squeeze": true},
  {"from": "@embeddings.patch_embedding.{part}", "to": "patch_embed.proj.{part}"},
  {"from": "@pre_layrnorm.{part}", "to": "norm_pre.{part}"},
  {"from": "@encoder.layers.{N}.layer_norm1.{part}", "to": "blocks.{N}.norm1.{part}"},
  {"from": "@encoder.layers.{N}.layer_norm2.{part}", "to": "blocks.{N}.norm2.{part}"},
  {"from": ["@encoder.layers.{N}.self_attn.q_proj.{part}",
            "@encoder.layers.{N}.self_attn.k_proj.{part}",
            "@encoder.layers.{N}.self_attn.v_proj.{part}"],
   "to": "blocks.{N}.attn.qkv.{part}"},
  {"from": "@encoder.layers.{N}.self_attn.out_proj.{part}", "to": "blocks.{N}.attn.proj.{part}"},
  {"from": "@encoder.layers.{N}.mlp.{part}", "to": "blocks.{N}.mlp.{part}"},
  {"from": "@post_layernorm.{part}", "to": "norm.{part}"},
  {"from": "visual_projection.weight", "to": "projection.weight"},
  {"from": "text_model.{rest}", "ignore": true},
  {"from": "text_projection.weight", "ignore": true},
  {"from": "logit_scale", "ignore": true})";

// Those of OpenAI's images, which all of CLIP's publishers took over.
constexpr const char* kClipImages = R"(
  "crop_share": 1, "preprocess": {"mean": [0.48145466, 0.4578275, 0.40821073],
                                  "std": [0.26862954, 0.26130258, 0.27577711]})";

constexpr DialectTable kTables[] = {
    {R"("name": "deit", "description": "DeiT, distilled", "where": ["dist_token"],
        "spec": ["positions=all", "position_resize=plain"])",
     {kTimm},
     {""}},
    {R"("name": "deit3", "description": "DeiT III", "where": ["blocks.{N}.gamma_1"],
        "needs": ["cls_token"], "spec": ["position_resize=plain"])",
     {kDeit3, kTimm},
     {""}},
    {R"("name": "dinov2", "description": "DINOv2 with registers", "where": ["register_tokens"],
        "needs": ["cls_token", "blocks.0.attn.qkv.bias", "blocks.0.ls1.gamma"],
        "spec": ["positions=no_registers", "position_resize=antialias"])",
     {kDinov2, kTimm},
     {""}},
    {R"("name": "dinov2", "description": "DINOv2", "where": ["mask_token", "{any}.ls1.gamma"],
        "needs": ["cls_token", "blocks.0.attn.qkv.bias"],
        "spec": ["positions=all", "position_resize=offset"])",
     {kDinov2, kTimm},
     {""}},
    {R"("name": "dinov2", "description": "DINOv2 with SwiGLU", "where": ["{any}.mlp.w12.weight"],
        "needs": ["cls_token", "blocks.0.attn.qkv.bias", "blocks.0.ls1.gamma"],
        "spec": ["positions=all", "position_resize=offset"])",
     {kDinov2, kTimm},
     {""}},
    {R"("name": "mae", "description": "MAE, as pretrained", "where": ["decoder_embed.weight"],
        "needs": ["cls_token", "blocks.0.attn.qkv.bias"], "spec": ["positions=all", "position_resize=plain"])",
     {kTimm},
     {""}},
    {R"("name": "timm", "description": "timm's CLIP", "where": ["norm_pre.weight"],
        "spec": ["norm_eps=1e-5", "position_resize=antialias"])",
     {kTimm},
     {""},
     kClipImages},
    {R"("name": "timm", "description": "timm",
        "spec": ["position_resize=antialias"])",
     {kTimm},
     {""}},
    {R"("name": "huggingface", "description": "Hugging Face's ViT",
        "needs": ["cls_token", "patch_embed.proj.bias", "norm.weight"],
        "spec": ["norm_eps=1e-12", "positions=all", "position_resize=plain"],
        "preprocess": {"resize_mode": "squash", "interpolation": "bilinear",
                       "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]})",
     {kHuggingFaceVit, kHuggingFace},
     {"vit.", ""}},
    {R"("name": "huggingface", "description": "Hugging Face's DeiT",
        "where": ["@embeddings.distillation_token"],
        "needs": ["cls_token", "patch_embed.proj.bias", "norm.weight"],
        "spec": ["norm_eps=1e-12", "positions=all", "position_resize=plain"])",
     {kHuggingFaceDeit, kHuggingFaceVit, kHuggingFace},
     {"deit.", ""}},
    {R"("name": "huggingface", "description": "Hugging Face's DINOv2",
        "needs": ["cls_token", "blocks.0.ls1.gamma"], "spec": ["positions=all", "position_resize=plain"])",
     {kHuggingFaceDinov2, kHuggingFace},
     {"dinov2.", ""}},
    {R"("name": "huggingface", "description": "Hugging Face's DINOv2 with registers",
        "where": ["@embeddings.register_tokens"],
        "needs": ["cls_token", "blocks.0.ls1.gamma"], "spec": ["positions=no_registers", "position_resize=antialias"])",
     {kHuggingFaceRegisters, kHuggingFaceDinov2, kHuggingFace},
     {"dinov2_with_registers.", ""}},
    {R"("name": "torchvision", "description": "torchvision",
        "needs": ["cls_token", "patch_embed.proj.bias", "blocks.0.attn.qkv.bias", "norm.weight"],
        "spec": ["positions=all", "position_resize=plain"], "preprocess": {"interpolation": "bilinear"})",
     {kTorchvision},
     {""}},
    {R"("name": "open_clip", "description": "CLIP's image tower",
        "needs": ["cls_token", "blocks.0.attn.qkv.bias", "norm.weight", "projection.weight"],
        "spec": ["norm_eps=1e-5", "activation=quick_gelu", "positions=all", "position_resize=antialias"])",
     {kClip, kClipText},
     {"visual.", ""},
     kClipImages},
    {R"("name": "huggingface", "description": "Hugging Face's CLIP",
        "needs": ["cls_token", "norm_pre.weight", "blocks.0.attn.qkv.bias", "norm.weight"],
        "spec": ["norm_eps=1e-5", "activation=quick_gelu", "positions=all", "position_resize=plain"])",
     {kHuggingFaceClip},
     {"vision_model."},
     kClipImages},
};

}  // namespace

std::span<const DialectTable> dialect_tables() { return kTables; }

}  // namespace shiftadd
