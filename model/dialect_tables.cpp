// How publishers name the tensors of vision transformers: one table each, the more telling first.
#include "model/dialect_tables.h"

namespace shiftadd {
namespace {

// Spellings that several of those have who otherwise name tensors as timm does.
#define TIMM_RULES                                                                            \
  R"({"from": "blocks.{N}.mlp.fc1.{part}", "to": "blocks.{N}.mlp.fc1.{part}"},                \
     {"from": ["blocks.{N}.attn.q_bias", "{zeros}", "blocks.{N}.attn.v_bias"],                \
      "to": "blocks.{N}.attn.qkv.bias", "spec": ["qkv_bias=qv"]},                             \
     {"from": ["blocks.{N}.mlp.fc1_g.{part}", "blocks.{N}.mlp.fc1_x.{part}"],                 \
      "to": "blocks.{N}.mlp.fc1.{part}", "spec": ["activation=swiglu"]})"

// Checkpoints of sharded trainings number groups of blocks, too.
#define DINOV2_RULES                                                                          \
  R"({"from": "register_tokens", "to": "reg_token"},                                          \
     {"from": "blocks.{N}.mlp.w12.{part}", "to": "blocks.{N}.mlp.fc1.{part}",                 \
      "spec": ["activation=swiglu"]},                                                         \
     {"from": "blocks.{N}.mlp.w3.{part}", "to": "blocks.{N}.mlp.fc2.{part}",                  \
      "spec": ["activation=swiglu"]},                                                         \
     {"from": "blocks.{C}.{N}.mlp.w12.{part}", "to": "blocks.{N}.mlp.fc1.{part}",             \
      "spec": ["activation=swiglu"]},                                                         \
     {"from": "blocks.{C}.{N}.mlp.w3.{part}", "to": "blocks.{N}.mlp.fc2.{part}",              \
      "spec": ["activation=swiglu"]},                                                         \
     {"from": "blocks.{C}.{N}.{part}", "to": "blocks.{N}.{part}"},)" TIMM_RULES

#define DINOV2_NEEDS R"("needs": ["cls_token", "blocks.0.ls1.gamma", "blocks.0.attn.qkv.bias"])"

#define HUGGING_FACE_RULES                                                                    \
  R"({"from": "@embeddings.cls_token", "to": "cls_token"},                                    \
     {"from": "@embeddings.position_embeddings", "to": "pos_embed"},                          \
     {"from": "@embeddings.patch_embeddings.projection.{part}",                               \
      "to": "patch_embed.proj.{part}"},                                                       \
     {"from": ["@encoder.layer.{N}.attention.attention.query.weight",                         \
               "@encoder.layer.{N}.attention.attention.key.weight",                           \
               "@encoder.layer.{N}.attention.attention.value.weight"],                        \
      "to": "blocks.{N}.attn.qkv.weight"},                                                    \
     {"from": ["@encoder.layer.{N}.attention.attention.query.bias",                           \
               "@encoder.layer.{N}.attention.attention.key.bias",                             \
               "@encoder.layer.{N}.attention.attention.value.bias"],                          \
      "to": "blocks.{N}.attn.qkv.bias", "spec": ["qkv_bias=all"]},                            \
     {"from": ["@encoder.layer.{N}.attention.attention.query.bias", "{zeros}",                \
               "@encoder.layer.{N}.attention.attention.value.bias"],                          \
      "to": "blocks.{N}.attn.qkv.bias", "spec": ["qkv_bias=qv"]},                             \
     {"from": "@encoder.layer.{N}.attention.output.dense.{part}",                             \
      "to": "blocks.{N}.attn.proj.{part}"},                                                   \
     {"from": "@layernorm.{part}", "to": "norm.{part}"},)"

#define HUGGING_FACE_VIT_RULES                                                                \
  HUGGING_FACE_RULES                                                                          \
  R"({"from": "@encoder.layer.{N}.layernorm_before.{part}", "to": "blocks.{N}.norm1.{part}"}, \
     {"from": "@encoder.layer.{N}.layernorm_after.{part}", "to": "blocks.{N}.norm2.{part}"},  \
     {"from": "@encoder.layer.{N}.intermediate.dense.{part}",                                 \
      "to": "blocks.{N}.mlp.fc1.{part}"},                                                     \
     {"from": "@encoder.layer.{N}.output.dense.{part}", "to": "blocks.{N}.mlp.fc2.{part}"},   \
     {"from": "@pooler.dense.{part}", "ignore": true, "where": "classifier.weight"},          \
     {"from": "@pooler.dense.{part}", "ignore": true, "where": "cls_classifier.weight"},      \
     {"from": "@pooler.dense.{part}", "to": "pre_logits.fc.{part}"},)"

#define HUGGING_FACE_DINOV2_RULES                                                             \
  HUGGING_FACE_RULES                                                                          \
  R"({"from": "@encoder.layer.{N}.norm1.{part}", "to": "blocks.{N}.norm1.{part}"},            \
     {"from": "@encoder.layer.{N}.norm2.{part}", "to": "blocks.{N}.norm2.{part}"},            \
     {"from": "@encoder.layer.{N}.layer_scale1.lambda1", "to": "blocks.{N}.ls1.gamma"},       \
     {"from": "@encoder.layer.{N}.layer_scale2.lambda1", "to": "blocks.{N}.ls2.gamma"},       \
     {"from": "@encoder.layer.{N}.mlp.weights_in.{part}",                                     \
      "to": "blocks.{N}.mlp.fc1.{part}", "spec": ["activation=swiglu"]},                      \
     {"from": "@encoder.layer.{N}.mlp.weights_out.{part}",                                    \
      "to": "blocks.{N}.mlp.fc2.{part}", "spec": ["activation=swiglu"]},                      \
     {"from": "@encoder.layer.{N}.mlp.{part}", "to": "blocks.{N}.mlp.{part}"},                \
     {"from": "classifier.{part}", "to": "head.{part}"})"

#define CLIP_PREPROCESS                                                                       \
  R"("preprocess": {"mean": [0.48145466, 0.4578275, 0.40821073],                              \
                    "std": [0.26862954, 0.26130258, 0.27577711]}, "crop_share": 1)"

constexpr DialectTable kTables[] = {
    {{""}, R"({"name": "deit", "description": "DeiT, distilled", "where": ["dist_token"],
      "spec": ["position_resize=plain"], "rules": [)" TIMM_RULES "]}"},
    {{""}, R"({"name": "deit3", "description": "DeiT III", "where": ["blocks.{N}.gamma_1"],
      "spec": ["position_resize=plain"], "rules": [
        {"from": "blocks.{N}.gamma_1", "to": "blocks.{N}.ls1.gamma"},
        {"from": "blocks.{N}.gamma_2", "to": "blocks.{N}.ls2.gamma"},)" TIMM_RULES "]}"},
    {{""}, R"({"name": "dinov2", "description": "DINOv2 with registers",
      "where": ["register_tokens"], "spec": ["position_resize=antialias"], )" DINOV2_NEEDS
      R"(, "rules": [)" DINOV2_RULES "]}"},
    {{""}, R"({"name": "dinov2", "description": "DINOv2", "where": ["mask_token",
      "{any}.ls1.gamma"], "spec": ["position_resize=offset"], )" DINOV2_NEEDS
      R"(, "rules": [)" DINOV2_RULES "]}"},
    {{""}, R"({"name": "dinov2", "description": "DINOv2 with SwiGLU",
      "where": ["{any}.mlp.w12.weight"], "spec": ["position_resize=offset"], )" DINOV2_NEEDS
      R"(, "rules": [)" DINOV2_RULES "]}"},
    {{""}, R"({"name": "mae", "description": "MAE, as pretrained",
      "where": ["decoder_embed.weight"], "spec": ["position_resize=plain"],
      "rules": [)" TIMM_RULES "]}"},
    {{""}, R"({"name": "timm", "description": "timm, or a publisher who names tensors as timm does",
      "spec": ["position_resize=antialias"], "rules": [)" TIMM_RULES "]}"},
    {{"deit.", ""}, R"({"name": "huggingface", "description": "Hugging Face's DeiT",
      "where": ["@embeddings.distillation_token"],
      "spec": ["norm_eps=1e-12", "position_resize=plain"], "rules": [
        {"from": "@embeddings.distillation_token", "to": "dist_token",
         "where": "distillation_classifier.weight"},
        {"from": "@embeddings.distillation_token", "to": "reg_token",
         "spec": ["registers=1", "positions=all"]},
        {"from": "cls_classifier.{part}", "to": "head.{part}", "spec": ["distillation=true"]},
        {"from": "distillation_classifier.{part}", "to": "head_dist.{part}"},
        {"from": "classifier.{part}", "to": "head.{part}"},)" HUGGING_FACE_VIT_RULES
      R"({"from": "@embeddings.mask_token", "ignore": true}]})"},
    {{"vit.", ""}, R"({"name": "huggingface", "description": "Hugging Face's ViT",
      "spec": ["norm_eps=1e-12", "position_resize=plain"],
      "preprocess": {"interpolation": "bilinear", "mean": [0.5, 0.5, 0.5],
                     "std": [0.5, 0.5, 0.5]}, "crop_share": 1, "rules": [
        {"from": "classifier.{part}", "to": "head.{part}"},)" HUGGING_FACE_VIT_RULES
      R"({"from": "@embeddings.mask_token", "ignore": true}]})"},
    {{"dinov2_with_registers.", ""},
      R"({"name": "huggingface", "description": "Hugging Face's DINOv2 with registers",
      "where": ["@embeddings.register_tokens"], "spec": ["position_resize=antialias"], )" DINOV2_NEEDS
      R"(, "rules": [{"from": "@embeddings.register_tokens", "to": "reg_token"},)"
      HUGGING_FACE_DINOV2_RULES "]}"},
    {{"dinov2.", ""}, R"({"name": "huggingface", "description": "Hugging Face's DINOv2",
      "spec": ["position_resize=plain"], )" DINOV2_NEEDS R"(, "rules": [)"
      HUGGING_FACE_DINOV2_RULES "]}"},
    {{""}, R"({"name": "torchvision", "description": "torchvision",
      "needs": ["cls_token", "patch_embed.proj.bias", "blocks.0.attn.qkv.bias", "norm.weight"],
      "spec": ["position_resize=plain"], "preprocess": {"interpolation": "bilinear"}, "rules": [
        {"from": "class_token", "to": "cls_token"},
        {"from": "conv_proj.{part}", "to": "patch_embed.proj.{part}"},
        {"from": "encoder.pos_embedding", "to": "pos_embed"},
        {"from": "encoder.layers.encoder_layer_{N}.ln_1.{part}", "to": "blocks.{N}.norm1.{part}"},
        {"from": "encoder.layers.encoder_layer_{N}.ln_2.{part}", "to": "blocks.{N}.norm2.{part}"},
        {"from": "encoder.layers.encoder_layer_{N}.self_attention.in_proj_{part}",
         "to": "blocks.{N}.attn.qkv.{part}"},
        {"from": "encoder.layers.encoder_layer_{N}.self_attention.out_proj.{part}",
         "to": "blocks.{N}.attn.proj.{part}"},
        {"from": "encoder.layers.encoder_layer_{N}.mlp.linear_1.{part}",
         "to": "blocks.{N}.mlp.fc1.{part}"},
        {"from": "encoder.layers.encoder_layer_{N}.mlp.linear_2.{part}",
         "to": "blocks.{N}.mlp.fc2.{part}"},
        {"from": "encoder.layers.encoder_layer_{N}.mlp.0.{part}",
         "to": "blocks.{N}.mlp.fc1.{part}"},
        {"from": "encoder.layers.encoder_layer_{N}.mlp.3.{part}",
         "to": "blocks.{N}.mlp.fc2.{part}"},
        {"from": "encoder.ln.{part}", "to": "norm.{part}"},
        {"from": "heads.pre_logits.{part}", "to": "pre_logits.fc.{part}"},
        {"from": "heads.head.{part}", "to": "head.{part}"}]})"},
    {{"visual.", ""}, R"({"name": "open_clip", "description": "CLIP's image tower",
      "needs": ["cls_token", "blocks.0.attn.qkv.bias", "norm.weight", "projection.weight"],
      "spec": ["norm_eps=1e-5", "activation=quick_gelu", "position_resize=antialias"],
      )" CLIP_PREPROCESS R"(, "rules": [
        {"from": "@class_embedding", "to": "cls_token", "squeeze": true},
        {"from": "@positional_embedding", "to": "pos_embed", "squeeze": true},
        {"from": "@conv1.{part}", "to": "patch_embed.proj.{part}"},
        {"from": "@ln_pre.{part}", "to": "norm_pre.{part}"},
        {"from": "@transformer.resblocks.{N}.ln_1.{part}", "to": "blocks.{N}.norm1.{part}"},
        {"from": "@transformer.resblocks.{N}.ln_2.{part}", "to": "blocks.{N}.norm2.{part}"},
        {"from": "@transformer.resblocks.{N}.attn.in_proj_{part}",
         "to": "blocks.{N}.attn.qkv.{part}"},
        {"from": "@transformer.resblocks.{N}.attn.out_proj.{part}",
         "to": "blocks.{N}.attn.proj.{part}"},
        {"from": "@transformer.resblocks.{N}.mlp.c_fc.{part}", "to": "blocks.{N}.mlp.fc1.{part}"},
        {"from": "@transformer.resblocks.{N}.mlp.c_proj.{part}",
         "to": "blocks.{N}.mlp.fc2.{part}"},
        {"from": "@transformer.resblocks.{N}.ls_1.gamma", "to": "blocks.{N}.ls1.gamma"},
        {"from": "@transformer.resblocks.{N}.ls_2.gamma", "to": "blocks.{N}.ls2.gamma"},
        {"from": "@ln_post.{part}", "to": "norm.{part}"},
        {"from": "@proj", "to": "projection.weight", "transpose": true},
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
        {"from": "vocab_size", "ignore": true}]})"},
    {{"vision_model."}, R"({"name": "huggingface", "description": "Hugging Face's CLIP",
      "needs": ["cls_token", "norm_pre.weight", "blocks.0.attn.qkv.bias", "norm.weight"],
      "spec": ["norm_eps=1e-5", "activation=quick_gelu", "position_resize=plain"],
      )" CLIP_PREPROCESS R"(, "rules": [
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
        {"from": "@encoder.layers.{N}.self_attn.out_proj.{part}",
         "to": "blocks.{N}.attn.proj.{part}"},
        {"from": "@encoder.layers.{N}.mlp.{part}", "to": "blocks.{N}.mlp.{part}"},
        {"from": "@post_layernorm.{part}", "to": "norm.{part}"},
        {"from": "visual_projection.weight", "to": "projection.weight"},
        {"from": "text_model.{rest}", "ignore": true},
        {"from": "text_projection.weight", "ignore": true},
        {"from": "logit_scale", "ignore": true}]})"},
};

}  // namespace

std::span<const DialectTable> dialect_tables() { return kTables; }

}  // namespace shiftadd
