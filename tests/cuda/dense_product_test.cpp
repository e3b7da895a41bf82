// Dense products of a device's library: the right numbers, recorded too, and what is refused.
#include "cuda/dense_product.h"

#include <bit>
#include <cstring>

#include "core/random.h"
#include "tests/cuda/executor.h"

using namespace shiftadd;
using test::contains;

namespace {

constexpr uint32_t kKinds[] = {SHIFTADD_DENSE_BF16, SHIFTADD_DENSE_INT8, SHIFTADD_DENSE_TF32};

std::vector<int32_t> whole_numbers(int64_t count, uint64_t stream) {
  Random random(7, stream);
  std::vector<int32_t> numbers(static_cast<std::size_t>(count));
  for (int32_t& each : numbers) each = static_cast<int32_t>(random.below(201)) - 100;
  return numbers;
}

// As the kind has them: exactly, since bf16 has 8 bits.
std::vector<uint8_t> as_kind(uint32_t kind, const std::vector<int32_t>& numbers) {
  std::vector<uint8_t> bytes;
  for (const int32_t number : numbers) {
    const auto bits = std::bit_cast<uint32_t>(static_cast<float>(number));
    const uint32_t word = kind == SHIFTADD_DENSE_BF16   ? bits >> 16
                          : kind == SHIFTADD_DENSE_INT8 ? static_cast<uint32_t>(number) & 255
                                                        : bits;
    const int size = kind == SHIFTADD_DENSE_BF16 ? 2 : kind == SHIFTADD_DENSE_INT8 ? 1 : 4;
    for (int i = 0; i < size; ++i) bytes.push_back(static_cast<uint8_t>(word >> (8 * i)));
  }
  return bytes;
}

std::vector<int32_t> expected_product(const shiftadd_dense_shape& shape,
                                      const std::vector<int32_t>& a,
                                      const std::vector<int32_t>& b) {
  std::vector<int32_t> c;
  for (int64_t i = 0; i < shape.products * shape.rows; ++i)
    for (int64_t j = 0; j < shape.outputs; ++j) {
      const int64_t row = i / shape.rows * shape.outputs + j;  // of all products' b
      int32_t sum = 0;
      for (int64_t k = 0; k < shape.inputs; ++k)
        sum += a[static_cast<std::size_t>(i * shape.inputs + k)] *
               b[static_cast<std::size_t>(row * shape.inputs + k)];
      c.push_back(sum);
    }
  return c;
}

// The product's numbers, all whole.
std::vector<int32_t> whole(uint32_t kind, const std::vector<int32_t>& words) {
  if (kind == SHIFTADD_DENSE_INT8) return words;
  std::vector<int32_t> numbers;
  for (const int32_t word : words)
    numbers.push_back(static_cast<int32_t>(std::bit_cast<float>(word)));
  return numbers;
}

}  // namespace

TEST_CASE("dense products are right, as they are asked for and recorded, at odd sizes") {
  for (const uint32_t kind : kKinds)
    for (const auto& [products, rows, outputs, inputs] : {std::array<int64_t, 4>{1, 1, 4, 4},
                                                          {1, 3, 8, 12},
                                                          {1, 31, 20, 196},
                                                          {1, 65, 33, 7},
                                                          {1, 197, 5, 1},
                                                          {3, 5, 8, 4},
                                                          {7, 9, 3, 5}}) {
      const shiftadd_dense_shape shape = {kind, products, rows, outputs, inputs};
      CAPTURE(products);
      CAPTURE(kind);
      CAPTURE(rows);
      if (!cuda::missing_dense_product(shape).empty()) continue;  // int8 of odd sizes
      const auto left = whole_numbers(products * rows * inputs, 1),
                 right = whole_numbers(products * outputs * inputs, 2);
      const test::DeviceArray<uint8_t> a(as_kind(kind, left)), b(as_kind(kind, right));
      test::DeviceArray<int32_t> c(products * rows * outputs);
      const std::vector<int32_t> nothing(static_cast<std::size_t>(products * rows * outputs), -7);
      cuda::Device& device = test::device();
      c.write(nothing);
      const std::string missing = device.dense_product(shape, a.get(), b.get(), c.get());
      if (test::on_gpu() && !missing.empty()) {
        MESSAGE("not checked: ", missing);
        continue;
      }
      REQUIRE(missing.empty());
      const std::vector<int32_t> expected = expected_product(shape, left, right);
      CHECK(whole(kind, c.read()) == expected);

      c.write(nothing);
      const cuda::Device::Graph graph =
          device.capture([&] { device.dense_product(shape, a.get(), b.get(), c.get()); });
      CHECK(c.read() == nothing);
      device.launch(graph);
      CHECK(whole(kind, c.read()) == expected);
    }
}

TEST_CASE("dense products that are not there, or come too early, are told apart") {
  cuda::Device device = test::device().share();
  const cuda::Device::Memory memory = device.allocate(1024);
  const auto missing = [&](const shiftadd_dense_shape& shape) {
    return device.dense_product(shape, memory.get(), memory.get(), memory.get());
  };
  CHECK(missing({SHIFTADD_DENSE_INT8, 1, 3, 5, 8}) ==
        "a dense product of int8 numbers has multiples of 4 outputs and inputs, not 5 and 8");
  CHECK(missing({SHIFTADD_DENSE_INT8, 1, 3, 8, 5}) ==
        "a dense product of int8 numbers has multiples of 4 outputs and inputs, not 8 and 5");
  CHECK(missing({9, 1, 3, 8, 8}) == "there is no dense product of kind 9");
  CHECK(missing({SHIFTADD_DENSE_BF16, 1, 0, 8, 8}) ==
        "a dense product has sides of 1 to 2147483647, not 0");
  CHECK(missing({SHIFTADD_DENSE_BF16, 0, 8, 8, 8}) ==
        "there are 1 to 2147483647 dense products at once, not 0");
  CHECK_THROWS_WITH_AS(
      device.capture([&] {
        missing({SHIFTADD_DENSE_BF16, 1, 4, 4, 4});
      }),
      doctest::Contains(
          "the first dense product of a shape was asked for while a graph is recorded"),
      Error);
}

TEST_CASE("dense products beyond their memory are refused by the host executor") {
  if (test::on_gpu()) return;
  cuda::Device& device = test::device();
  const cuda::Device::Memory small = device.allocate(63), large = device.allocate(64);
  const shiftadd_dense_shape shape = {SHIFTADD_DENSE_INT8, 1, 4, 4, 16};
  const auto reason = [&](const void* a, const void* b, void* c) -> std::string {
    try {
      return device.dense_product(shape, a, b, c);
    } catch (const Error& error) {
      return error.what();
    }
  };
  CHECK(contains(reason(small.get(), large.get(), large.get()), "an operand of 64 bytes"));
  CHECK(contains(reason(large.get(), small.get(), large.get()), "an operand of 64 bytes"));
  CHECK(contains(reason(large.get(), large.get(), small.get()), "a product of 64 bytes"));
}

// What cuBLASLt is asked for, done here by its own definition: element (r, c) of a matrix is number
// c * step + r, and the result is the first matrix transposed times the second.
TEST_CASE("a product row by row is asked for column by column") {
  for (const auto& [rows, outputs, inputs] :
       {std::array<int64_t, 3>{1, 1, 1}, {3, 5, 7}, {31, 4, 33}}) {
    const shiftadd_dense_shape shape = {SHIFTADD_DENSE_TF32, 1, rows, outputs, inputs};
    const auto a = whole_numbers(rows * inputs, 1), b = whole_numbers(outputs * inputs, 2);
    const cuda::ColumnProduct of = cuda::column_product(shape);
    REQUIRE(of.first.rows == of.second.rows);
    REQUIRE(of.first.columns == of.result.rows);
    REQUIRE(of.second.columns == of.result.columns);
    CHECK(of.first.numbers() == outputs * inputs);
    CHECK(of.second.numbers() == rows * inputs);
    CHECK(of.result.numbers() == rows * outputs);
    std::vector<int32_t> c(static_cast<std::size_t>(rows * outputs), -7);
    const auto at = [](const cuda::ColumnMatrix& matrix, int64_t row, int64_t column) {
      return static_cast<std::size_t>(column * matrix.step + row);
    };
    for (int64_t row = 0; row < of.result.rows; ++row)
      for (int64_t column = 0; column < of.result.columns; ++column) {
        int32_t sum = 0;
        for (int64_t k = 0; k < of.first.rows; ++k)
          sum += b.at(at(of.first, k, row)) * a.at(at(of.second, k, column));
        c.at(at(of.result, row, column)) = sum;
      }
    CHECK(c == expected_product(shape, a, b));
  }
}
