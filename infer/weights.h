// A vision transformer's weights, packed for the matrix kernels.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/cpu/packed_gemm.h"
#include "core/model/model_spec.h"
#include "core/tensor.h"

namespace shiftadd::infer {

struct Linear {
  PackedMatrix weight;
  Tensor bias;  // (outputs)
};

struct Norm {
  Tensor gamma, beta;  // (width)
};

struct Block {
  Norm norm1, norm2;
  Linear qkv;  // the last block's holds keys and values only
  Linear proj, fc1, fc2;
};

struct VitWeights {
  /// Takes named weights as load_model gives them; each is released once packed. Throws Error
  /// (user).
  VitWeights(const ModelSpec& spec, std::vector<std::pair<std::string, Tensor>> named);

  Linear patch_embed, head;
  Tensor positions;  // (N, D)
  Tensor class_row;  // (D): class token plus its position
  std::vector<Block> blocks;
  Linear last_query;  // the query rows of the last block's qkv
  Norm norm;
  int64_t floats = 0;
};

}  // namespace shiftadd::infer
