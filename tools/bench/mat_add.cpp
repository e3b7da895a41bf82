// Times MatAdd as the engine takes it, by dot products, by tables and as a float32 product.
#include "tools/bench/mat_add.h"

#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.h"
#include "core/kernels.h"
#include "core/random.h"
#include "tools/bench/kernels/kernels.h"
#include "tools/bench/operands.h"
#include "tools/bench/timer.h"

namespace shiftadd::tools {
namespace {

struct Case {
  int64_t batch, heads, tokens, columns, channels;
};
constexpr Case kCases[] = {{1, 1, 3136, 32, 16}, {1, 2, 784, 32, 16},   {1, 5, 196, 32, 16},
                           {1, 3, 197, 64, 64},  {32, 1, 3136, 32, 16}, {32, 2, 784, 32, 16},
                           {32, 5, 196, 32, 16}, {32, 3, 197, 64, 64}};

}  // namespace

nlohmann::ordered_json time_mat_add(double seconds) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const auto& [batch, heads, n, d, r] : kCases) {
    const int64_t products = batch * heads;
    const Tensor signs({products, n, sign_bytes(r)}, DType::kU8), v({products, n, d}, DType::kI8);
    const RandomStream random(0, 1);
    for (int64_t i = 0; i < signs.numel(); ++i)
      signs.data<uint8_t>()[i] = static_cast<uint8_t>(random.bits(i));
    for (int64_t i = 0; i < v.numel(); ++i)
      v.data<int8_t>()[i] = static_cast<int8_t>(random.bits(signs.numel() + i) % 255 - 127);
    const Tensor kv({products, r, d}, DType::kI32), out({products, n, d}, DType::kI32);
    const auto microseconds = [&](auto body) {
      return 1e3 *
             time_calls({.seconds = seconds, .warm_up = 3, .max_runs = 1'000'000}, body).min_ms;
    };
    const auto keys = [&](MatAddForm form) {
      return microseconds([&] {
        bench_kernels().mat_add_keys(
            {products, n, r, d, signs.data<uint8_t>(), v.data<int8_t>(), kv.data<int32_t>(), form});
      });
    };
    nlohmann::ordered_json row = {{"batch", batch},   {"heads", heads},    {"tokens", n},
                                  {"columns", d},     {"channels", r},     {"keys_us", 0},
                                  {"keys_dot_us", 0}, {"keys_table_us", 0}};
    row["keys_us"] = keys(MatAddForm::kFastest);
    row["keys_dot_us"] = keys(MatAddForm::kDot);
    row["keys_table_us"] = keys(MatAddForm::kTable);
    row["queries_us"] = microseconds([&] {
      bench_kernels().mat_add_queries(
          {products, n, r, d, signs.data<uint8_t>(), kv.data<int32_t>(), out.data<int32_t>()});
    });
    // The same k^T v as a float product with +-1.
    const Tensor codes = random_floats({products, n, r}, 2),
                 floats = random_floats({products, n, d}, 3);
    const Tensor sums({products, r, d});
    for (int64_t i = 0; i < codes.numel(); ++i)
      codes.data<float>()[i] = codes.data<float>()[i] < 0 ? -1.0f : 1.0f;
    row["keys_float32_us"] = microseconds([&] {
      for (int64_t p = 0; p < products; ++p)
        cpu_kernels().gemm({r, d, n, codes.data<float>() + p * n * r, r, true,
                            floats.data<float>() + p * n * d, d, false,
                            sums.data<float>() + p * r * d, d});
    });
    rows.push_back(std::move(row));
  }
  return rows;
}

void print_mat_add(const nlohmann::ordered_json& rows) {
  std::cout
      << "\nMatAdd, best microseconds: k^T v of packed signs and int8 v as the engine takes it, "
         "by int8 dot products,\nby tables of sums of four, as a float32 product with +-1; "
         "q (k^T v) of packed signs and int32 by tables\n"
      << std::left << std::setw(24) << "images,heads,n,d,r" << std::right;
  for (const char* title : {"k^T v", "dots", "tables", "float32", "q (k^T v)"})
    std::cout << std::setw(11) << title;
  std::cout << "\n" << std::setprecision(1);
  for (const auto& row : rows) {
    const auto size = [&](const char* key) { return row[key].get<int64_t>(); };
    std::cout << std::left << std::setw(24)
              << concat(size("batch"), ",", size("heads"), ",", size("tokens"), ",",
                        size("columns"), ",", size("channels"))
              << std::right;
    for (const char* key :
         {"keys_us", "keys_dot_us", "keys_table_us", "keys_float32_us", "queries_us"})
      std::cout << std::setw(11) << row[key].get<double>();
    std::cout << "\n";
  }
}

}  // namespace shiftadd::tools
