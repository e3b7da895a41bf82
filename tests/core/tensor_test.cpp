// Tensor handles, views, dtype conversion, the arena and its counters.
#include "core/tensor.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "core/memory.h"
#include "core/random.h"

using namespace shiftadd;

TEST_CASE("a tensor is a handle; views share memory") {
  const Tensor t = Tensor::from<float>({0, 1, 2, 3, 4, 5}, {3, 2});
  const Tensor copy = t, rows = t.slice(1, 3), flat = t.reshape({-1});
  copy.data<float>()[2] = 9;
  CHECK(rows.data<float>()[0] == 9);
  CHECK(flat.data<float>()[2] == 9);
  CHECK(rows.shape() == Shape{2, 2});
  CHECK(rows.dim(-1) == 2);
  CHECK(rows.shares_memory(t));
  const Tensor cloned = t.clone();
  CHECK_FALSE(cloned.shares_memory(t));
  cloned.data<float>()[2] = 1;
  CHECK(t.data<float>()[2] == 9);
  CHECK(reinterpret_cast<uintptr_t>(t.raw()) % kAlignment == 0);
  CHECK_FALSE(Tensor().defined());
  CHECK(Tensor(Shape{}).numel() == 1);
  CHECK(Tensor(Shape{0, 3}).numel() == 0);
}

TEST_CASE("wrong shapes, dtypes and sizes are named") {
  const Tensor t(Shape{3, 2});
  CHECK_THROWS_WITH_AS(t.reshape({4, 2}),
                       "[reshape] (3, 2) has 6 elements, (4, 2) asks for another number", Error);
  CHECK_THROWS_AS(t.slice(2, 4), Error);
  CHECK_THROWS_WITH_AS(t.data<double>(), "[tensor] holds f32, asked for f64", Error);
  CHECK_THROWS_AS(Tensor(Shape{-1, 2}), Error);
  CHECK_THROWS_AS(element_count({int64_t{1} << 40, int64_t{1} << 40}), Error);
  CHECK_THROWS_AS(Tensor::from<float>({1, 2}, {3}), Error);
  CHECK_THROWS_AS(t.copy_from(Tensor(Shape{2, 3})), Error);
}

TEST_CASE("bfloat16 and float16 round half to even and survive a round trip") {
  CHECK(to_bfloat16(1.0f).bits == 0x3f80);
  CHECK(to_bfloat16(1.00390625f).bits == 0x3f80);  // 1 + 2^-8: halfway, to even
  CHECK(to_bfloat16(1.01171875f).bits == 0x3f82);  // 1 + 3 * 2^-8: halfway, to even
  CHECK(std::isnan(to_float(to_bfloat16(std::numeric_limits<float>::quiet_NaN()))));
  CHECK(to_float16(65504.0f).bits == 0x7bff);
  CHECK(to_float16(65520.0f).bits == 0x7c00);
  CHECK(to_float16(-0.0f).bits == 0x8000);
  CHECK(to_float16(0x1p-24f).bits == 1);
  CHECK(to_float16(0x1p-25f).bits == 0);  // halfway between 0 and the smallest: to even
  CHECK(std::isnan(to_float(to_float16(std::numeric_limits<float>::quiet_NaN()))));
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const float half = to_float(Float16{static_cast<uint16_t>(bits)});
    if (!std::isnan(half)) REQUIRE(to_float16(half).bits == bits);
    const float brain = to_float(BFloat16{static_cast<uint16_t>(bits)});
    if (!std::isnan(brain)) REQUIRE(to_bfloat16(brain).bits == bits);
  }
}

TEST_CASE("to() converts between dtypes") {
  const Tensor t = Tensor::from<float>({-1.5f, 0, 3}, {3});
  CHECK(t.to(DType::kF64).data<double>()[0] == -1.5);
  CHECK(t.to(DType::kI32).data<int32_t>()[2] == 3);
  CHECK(to_float(t.to(DType::kF16).data<Float16>()[0]) == -1.5f);
  CHECK(t.to(DType::kF32).shares_memory(t));
}

TEST_CASE("the arena counts, reuses and keeps blocks apart") {
  const MemoryStats before = memory_stats();
  {
    const Tensor a(Shape{1000}), b(Shape{1000});
    CHECK(memory_stats().in_use >= before.in_use + 8000);
    CHECK(memory_stats().allocations == before.allocations + 2);
    reset_peak_memory();
    { const Tensor c(Shape{5000}); }
    CHECK(memory_stats().peak >= memory_stats().in_use + 20000);
  }
  CHECK(memory_stats().in_use == before.in_use);

  // Blocks of random sizes, freed in random order: contents must never overlap.
  Random random(3, 1);
  struct Block {
    unsigned char* data;
    std::size_t size;
    unsigned char mark;
  };
  std::vector<Block> blocks;
  for (int step = 0; step < 3000; ++step) {
    if (blocks.empty() || random.uniform() < 0.55) {
      const std::size_t size = 1 + random.below(step % 7 ? 500 : 70000);
      Block block{static_cast<unsigned char*>(allocate(size)), size,
                  static_cast<unsigned char>(step)};
      REQUIRE(reinterpret_cast<uintptr_t>(block.data) % kAlignment == 0);
      std::memset(block.data, block.mark, size);
      blocks.push_back(block);
    } else {
      std::swap(blocks[random.below(blocks.size())], blocks.back());
      const Block block = blocks.back();
      blocks.pop_back();
      bool intact = true;
      for (std::size_t i = 0; i < block.size; ++i) intact = intact && block.data[i] == block.mark;
      REQUIRE(intact);
      deallocate(block.data, block.size);
    }
  }
  for (const Block& block : blocks) deallocate(block.data, block.size);
  CHECK(memory_stats().in_use == before.in_use);
}
