// A vision transformer's weights as the runtime's kernels take them: packed, Shift layers
// quantised.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/tensor.h"
#include "infer/linear.h"
#include "infer/mixture.h"
#include "infer/mlp.h"
#include "model/model_file.h"

namespace shiftadd::infer {

struct Norm {
  Tensor gamma, beta;  // (width)
};

struct Block {
  Norm norm1, norm2;
  /// Of a last block whose class token alone is read and whose queries can be told apart
  /// (answers_class_token, splits_query): qkv holds keys and values only, `query` the queries.
  Mixture<Linear> qkv;
  Linear query;
  Tensor local;  // linear attention's filter (heads, kernel_h, kernel_w), or undefined
  Mixture<Linear> proj;
  Mixture<Mlp> mlp;
};

/// Block `index` carries the class token's row alone beyond its keys and values: the last one, for
/// nothing reads its other rows. But where its MLP is a mixture and its router's choices are asked
/// for, they are those of all tokens, in training as here.
bool answers_class_token(const ModelSpec& spec, int64_t index, bool with_choices);
/// Its qkv can be cut into the class token's query and everyone's keys and values.
bool splits_query(const ModelSpec& spec, int64_t index);

struct VitWeights {
  /// Takes a packed model; each of its tensors is released once it is laid out for the kernels.
  /// Throws Error (user), also for codes `unit_batch`: an image's answer would depend on its
  /// neighbours.
  explicit VitWeights(ModelFile model);

  Linear patch_embed, head;
  Tensor positions;  // (N, D)
  Tensor class_row;  // (D): class token plus its position
  std::vector<Block> blocks;
  Norm norm;
  int64_t floats = 0;
};

}  // namespace shiftadd::infer
