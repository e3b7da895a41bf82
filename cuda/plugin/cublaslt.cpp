// See cublaslt.h: the one file that knows cuBLASLt.
#include "cuda/plugin/cublaslt.h"

#include <cublasLt.h>
#include <dlfcn.h>

#include <map>

#include "cuda/dense_product.h"

namespace shiftadd::cuda {
namespace {

// As NVIDIA recommends for Hopper; older devices need less.
constexpr std::size_t kWorkspace = std::size_t{32} << 20;

// The functions of the library that are called, by name.
#define SHIFTADD_CUBLASLT_FUNCTIONS(Each)                                                      \
  Each(Create) Each(Destroy) Each(MatmulDescCreate) Each(MatmulDescDestroy)                    \
      Each(MatmulDescSetAttribute) Each(MatrixLayoutCreate) Each(MatrixLayoutSetAttribute)     \
          Each(MatrixLayoutDestroy) Each(MatmulPreferenceCreate) Each(MatmulPreferenceDestroy) \
              Each(MatmulPreferenceSetAttribute) Each(MatmulAlgoGetHeuristic) Each(Matmul)
struct Library {
  std::string missing;  // why there is none; empty: all are there
#define SHIFTADD_DECLARE(name) decltype(&::cublasLt##name) name = nullptr;
  SHIFTADD_CUBLASLT_FUNCTIONS(SHIFTADD_DECLARE)
#undef SHIFTADD_DECLARE

  Library() {
    const std::string file = "libcublasLt.so." + std::to_string(CUBLAS_VER_MAJOR);
    void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) {
      missing = file + " is not there: put its folder into LD_LIBRARY_PATH";
      return;
    }
    const auto find = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(library, name));
      if (!function) missing = file + " lacks " + name;
    };
#define SHIFTADD_FIND(name) find(name, "cublasLt" #name);
    SHIFTADD_CUBLASLT_FUNCTIONS(SHIFTADD_FIND)
#undef SHIFTADD_FIND
  }
};

const Library& library() {
  static const Library library;
  return library;
}

std::string failed(const char* what, cublasStatus_t status) {
  return std::string("cuBLASLt: ") + what + " failed (" + std::to_string(static_cast<int>(status)) +
         ")";
}

// What a kind of product is made of.
struct Types {
  cublasComputeType_t sums;
  cudaDataType_t numbers, result;  // result: and of its factor
};
Types types_of(uint32_t kind) {
  switch (kind) {
    case SHIFTADD_DENSE_BF16:
      return {CUBLAS_COMPUTE_32F, CUDA_R_16BF, CUDA_R_32F};
    case SHIFTADD_DENSE_INT8:
      return {CUBLAS_COMPUTE_32I, CUDA_R_8I, CUDA_R_32I};
    default:
      return {CUBLAS_COMPUTE_32F_FAST_TF32, CUDA_R_32F, CUDA_R_32F};
  }
}

// A product that is described, with the algorithm that runs it.
struct Prepared {
  cublasLtMatmulDesc_t product = nullptr;
  cublasLtMatrixLayout_t first = nullptr, second = nullptr, result = nullptr;
  cublasLtMatmulAlgo_t algorithm = {};

  Prepared() = default;
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;
  ~Prepared() {
    for (cublasLtMatrixLayout_t layout : {first, second, result})
      if (layout) library().MatrixLayoutDestroy(layout);
    if (product) library().MatmulDescDestroy(product);
  }

  // Returns what went wrong, or "".
  std::string describe(const shiftadd_dense_shape& shape) {
    const Types types = types_of(shape.kind);
    const ColumnProduct of = column_product(shape);
    const cublasOperation_t transposed = CUBLAS_OP_T;
    cublasStatus_t status = library().MatmulDescCreate(&product, types.sums, types.result);
    if (status == CUBLAS_STATUS_SUCCESS)
      status = library().MatmulDescSetAttribute(product, CUBLASLT_MATMUL_DESC_TRANSA, &transposed,
                                                sizeof transposed);
    const auto products = static_cast<int32_t>(shape.products);
    const auto lay = [&](cublasLtMatrixLayout_t& layout, cudaDataType_t type,
                         const ColumnMatrix& matrix) {
      const int64_t to_next = matrix.numbers();
      if (status == CUBLAS_STATUS_SUCCESS)
        status = library().MatrixLayoutCreate(&layout, type, static_cast<uint64_t>(matrix.rows),
                                              static_cast<uint64_t>(matrix.columns), matrix.step);
      if (status == CUBLAS_STATUS_SUCCESS)
        status = library().MatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT,
                                                    &products, sizeof products);
      if (status == CUBLAS_STATUS_SUCCESS)
        status = library().MatrixLayoutSetAttribute(
            layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &to_next, sizeof to_next);
    };
    lay(first, types.numbers, of.first);
    lay(second, types.numbers, of.second);
    lay(result, types.result, of.result);
    return status == CUBLAS_STATUS_SUCCESS ? "" : failed("describing a product", status);
  }

  std::string choose(cublasLtHandle_t handle) {
    cublasLtMatmulPreference_t preference = nullptr;
    cublasStatus_t status = library().MatmulPreferenceCreate(&preference);
    if (status == CUBLAS_STATUS_SUCCESS)
      status = library().MatmulPreferenceSetAttribute(
          preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &kWorkspace, sizeof kWorkspace);
    cublasLtMatmulHeuristicResult_t best = {};
    int found = 0;
    if (status == CUBLAS_STATUS_SUCCESS)
      status = library().MatmulAlgoGetHeuristic(handle, product, first, second, result, result,
                                                preference, 1, &best, &found);
    if (preference) library().MatmulPreferenceDestroy(preference);
    if (status != CUBLAS_STATUS_SUCCESS) return failed("choosing an algorithm", status);
    if (found < 1) return "cuBLASLt has no algorithm for this product";
    algorithm = best.algo;
    return "";
  }
};

}  // namespace

struct DenseProducts::Impl {
  cublasLtHandle_t handle = nullptr;
  void* workspace = nullptr;
  std::map<DenseKey, Prepared> prepared;

  ~Impl() {
    prepared.clear();
    if (handle) library().Destroy(handle);
    cudaFree(workspace);
    cudaGetLastError();
  }

  std::string open() {
    if (!library().missing.empty()) return library().missing;
    if (!handle) {
      const cublasStatus_t status = library().Create(&handle);
      if (status != CUBLAS_STATUS_SUCCESS) return failed("opening it", status);
    }
    if (!workspace && cudaMalloc(&workspace, kWorkspace) != cudaSuccess) {
      cudaGetLastError();
      workspace = nullptr;
      return "cuBLASLt: no 32 MiB of memory to work in";
    }
    return "";
  }
};

DenseProducts::DenseProducts() : impl_(std::make_unique<Impl>()) {}
DenseProducts::~DenseProducts() = default;

bool DenseProducts::knows(const shiftadd_dense_shape& shape) const {
  return impl_->prepared.contains(dense_key(shape));
}

std::string DenseProducts::prepare(const shiftadd_dense_shape& shape) {
  std::string missing = missing_dense_product(shape);
  if (missing.empty()) missing = impl_->open();
  if (!missing.empty()) return missing;
  Prepared& made = impl_->prepared[dense_key(shape)];
  missing = made.describe(shape);
  if (missing.empty()) missing = made.choose(impl_->handle);
  if (!missing.empty()) impl_->prepared.erase(dense_key(shape));
  return missing;
}

std::string DenseProducts::multiply(const shiftadd_dense_shape& shape, const void* a, const void* b,
                                    void* c, cudaStream_t stream) {
  const Prepared& of = impl_->prepared.at(dense_key(shape));
  const float one = 1, zero = 0;
  const int32_t whole_one = 1, whole_zero = 0;
  const bool whole = shape.kind == SHIFTADD_DENSE_INT8;
  const void* by = whole ? static_cast<const void*>(&whole_one) : &one;
  const void* plus = whole ? static_cast<const void*>(&whole_zero) : &zero;
  const cublasStatus_t status =
      library().Matmul(impl_->handle, of.product, by, b, of.first, a, of.second, plus, c, of.result,
                       c, of.result, &of.algorithm, impl_->workspace, kWorkspace, stream);
  return status == CUBLAS_STATUS_SUCCESS ? "" : failed("a product", status);
}

}  // namespace shiftadd::cuda
