// A vision transformer's weights as the runtime's kernels take them: packed, Shift layers
// quantised.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/model/model_spec.h"
#include "core/tensor.h"
#include "infer/linear.h"
#include "infer/mixture.h"

namespace shiftadd::infer {

struct Norm {
  Tensor gamma, beta;  // (width)
};

struct Mlp {
  Linear fc1, fc2;
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
/// nothing reads its other rows, unless its MLP is a mixture: a router is counted by all tokens, in
/// training as here.
bool answers_class_token(const ModelSpec& spec, int64_t index);
/// Its qkv can be cut into the class token's query and everyone's keys and values.
bool splits_query(const ModelSpec& spec, int64_t index);

struct VitWeights {
  /// Takes named weights as load_model gives them; each is released once packed. Throws Error
  /// (user), also for codes `unit_batch`: an image's answer would depend on its neighbours.
  VitWeights(const ModelSpec& spec, std::vector<std::pair<std::string, Tensor>> named);

  Linear patch_embed, head;
  Tensor positions;  // (N, D)
  Tensor class_row;  // (D): class token plus its position
  std::vector<Block> blocks;
  Norm norm;
  int64_t floats = 0;
};

}  // namespace shiftadd::infer
