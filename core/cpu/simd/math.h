// exp, tanh, gelu and its kin on vectors of an instruction set.
#pragma once

#include "core/cpu/simd/vec.h"
// After the vocabulary that it is written in.
#include "core/vector_math.h"
