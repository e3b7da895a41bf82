// Safetensors: round trips, every way a header can lie, files cut short.
#include "core/io/safetensors.h"

#include <cstring>

#include "core/io/files.h"
#include "tests/support/support.h"

using namespace shiftadd;

namespace {

std::string file_of(const std::string& header, const std::string& data) {
  const uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), 8) + header + data;
}

// The reason a file is refused; "" when it is read.
std::string refusal(const std::string& bytes) {
  try {
    parse_safetensors(bytes.data(), bytes.size(), "x.safetensors");
    return "";
  } catch (const Error& error) {
    CHECK(error.exit_code() == 2);
    CHECK(std::string(error.what()).find("x.safetensors") != std::string::npos);
    return error.what();
  }
}

bool refuses(const std::string& header, const std::string& data, const std::string& reason) {
  const std::string text = refusal(file_of(header, data));
  INFO(text);
  return text.find(reason) != std::string::npos;
}

const std::string kTen(10, '\0');

}  // namespace

TEST_CASE("every dtype and odd shape comes back bit for bit, in order") {
  TensorFile file;
  int seed = 0;
  for (DType dtype : {DType::kU8, DType::kF64, DType::kI8, DType::kF32, DType::kBF16, DType::kF16,
                      DType::kI64, DType::kI32}) {
    for (const Shape& shape : {Shape{}, Shape{1}, Shape{3, 17}, Shape{0, 5}, Shape{197}}) {
      const Tensor tensor(shape, dtype);
      uint8_t* bytes = static_cast<uint8_t*>(tensor.raw());
      for (std::size_t i = 0; i < tensor.bytes(); ++i) bytes[i] = static_cast<uint8_t>(++seed * 37);
      file.tensors.emplace_back(concat("t", seed, '.', dtype, shape), tensor);
    }
  }
  file.metadata = {{"key", "value with \"quotes\" and \n"}, {"\xc3\xa9", ""}};
  const test::TemporaryFolder folder;
  write_safetensors(folder / "a.safetensors", file);
  const TensorFile back = read_safetensors(folder / "a.safetensors");
  CHECK(back.metadata == file.metadata);
  REQUIRE(back.tensors.size() == file.tensors.size());
  for (std::size_t i = 0; i < file.tensors.size(); ++i) {
    const auto& [name, tensor] = back.tensors[i];
    CHECK(name == file.tensors[i].first);
    CHECK(tensor.shape() == file.tensors[i].second.shape());
    CHECK(tensor.dtype() == file.tensors[i].second.dtype());
    CHECK(std::memcmp(tensor.raw(), file.tensors[i].second.raw(), tensor.bytes()) == 0);
    CHECK(reinterpret_cast<uintptr_t>(tensor.raw()) % size_of(tensor.dtype()) == 0);
  }
  const std::vector<uint8_t> bytes = read_file(folder / "a.safetensors");
  uint64_t header = 0;
  std::memcpy(&header, bytes.data(), 8);
  CHECK((8 + header) % 64 == 0);
  CHECK_THROWS_AS(back.at("nothing"), Error);
  CHECK(back.find("nothing") == nullptr);
}

TEST_CASE("what cannot be written is refused before the file is touched") {
  const test::TemporaryFolder folder;
  const std::string path = folder / "a.safetensors";
  const Tensor one = Tensor::full({1}, 1);
  CHECK_THROWS_AS(write_safetensors(path, {{{"a", one}, {"a", one}}, {}}), Error);
  CHECK_THROWS_AS(write_safetensors(path, {{{"__metadata__", one}}, {}}), Error);
  CHECK_THROWS_AS(write_safetensors(path, {{{"a", Tensor()}}, {}}), Error);
  CHECK_THROWS_AS(write_safetensors(path, {{{"\xff", one}}, {}}), Error);
  CHECK_THROWS_AS(map_file(path), Error);
}

TEST_CASE("an unaligned file is copied into place") {
  const std::string bytes =
      file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} )", std::string(8, '\1'));
  for (std::size_t shift = 0; shift < 4; ++shift) {
    const std::string moved = std::string(shift, ' ') + bytes;
    const TensorFile file = parse_safetensors(moved.data() + shift, bytes.size(), "x");
    CHECK(std::memcmp(file.at("a").data<float>(), bytes.data() + bytes.size() - 8, 8) == 0);
  }
}

TEST_CASE("headers that lie are refused with the reason") {
  const std::string good = R"({"a":{"dtype":"U8","shape":[10],"data_offsets":[0,10]}})";
  CHECK(refusal(file_of(good, kTen)) == "");
  CHECK(refuses(good, std::string(9, '\0'), "cut short"));
  CHECK(refuses(good, std::string(11, '\0'), "end at byte 10 of 11"));
  CHECK(refuses(R"({"a":{"dtype":"U9","shape":[10],"data_offsets":[0,10]}})", kTen, "'U9'"));
  CHECK(refuses(R"({"a":{"dtype":"F32","shape":[10],"data_offsets":[0,10]}})", kTen, "needs 40"));
  CHECK(refuses(R"({"a":{"dtype":"U8","shape":[10],"data_offsets":[10,0]}})", kTen, "'a'"));
  CHECK(
      refuses(R"({"a":{"dtype":"U8","shape":[10],"data_offsets":[0]}})", kTen, "two data_offsets"));
  CHECK(refuses(R"({"a":{"dtype":"U8","shape":[10]}})", kTen, "two data_offsets"));
  CHECK(refuses(R"({"a":{"dtype":"U8","data_offsets":[0,10]}})", kTen, "shape"));
  CHECK(refuses(R"({"a":{"dtype":"U8","shape":[-10],"data_offsets":[0,10]}})", kTen, "negative"));
  CHECK(
      refuses(R"({"a":{"dtype":"U8","shape":[1e1],"data_offsets":[0,10]}})", kTen, "out of place"));
  CHECK(refuses(R"({"a":{"dtype":"U8","shape":[[10]],"data_offsets":[0,10]}})", kTen,
                "out of place"));
  CHECK(refuses(R"({"a":{"dtype":"U8","shape":[10],"data_offsets":[0,10],"x":1}})", kTen,
                "unknown field 'x'"));
  CHECK(refuses(R"({"a":{"dtype":"U8","dtype":"U8","shape":[10],"data_offsets":[0,10]}})", kTen,
                "twice"));
  CHECK(refuses(R"({"a":{"dtype":"U8","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}})",
                "", "overflows"));
  CHECK(refuses(R"({"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}})", "",
                "overflows"));
  CHECK(refuses(R"({"a":{"dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,10]}})",
                kTen, "overflows"));
  CHECK(refuses(R"({"a":{"dtype":"U8","shape":[10],"data_offsets":[18446744073709551606,0]}})",
                kTen, "'a'"));
  CHECK(refuses(R"({"a":1})", "", "out of place"));
  CHECK(refuses(R"([])", "", "does not start"));
  CHECK(refuses(R"({"__metadata__":{"a":1}})", "", "only strings"));
  CHECK(refuses(R"({"__metadata__":{"a":"1","a":"2"}})", "", "twice"));
  CHECK(refuses("{\"a\xff\":1}", "", "not valid JSON"));
  CHECK(refuses(R"({"a":{"dtype":"U8","shape":[10],"data_offsets":[0,10]},})", kTen,
                "not valid JSON"));
  CHECK(refuses(std::string(100000, '[').insert(0, "{\"a\":{\"shape\":"), "", "out of place"));
}

TEST_CASE("duplicate names, overlaps and holes are refused") {
  const auto two = [](const std::string& second, const std::string& begin, const std::string& end) {
    return R"({"a":{"dtype":"U8","shape":[6],"data_offsets":[0,6]},")" + second +
           R"(":{"dtype":"U8","shape":[4],"data_offsets":[)" + begin + "," + end + "]}}";
  };
  CHECK(refusal(file_of(two("b", "6", "10"), kTen)) == "");
  CHECK(refuses(two("a", "6", "10"), kTen, "'a' occurs twice"));
  CHECK(refuses(two("b", "5", "9"), kTen, "overlaps"));
  CHECK(refuses(two("b", "0", "4"), kTen, "overlaps"));
  CHECK(refuses(two("b", "7", "11"), kTen + "x", "hole"));
}

TEST_CASE("a file cut short at any length is refused") {
  const test::TemporaryFolder folder;
  write_safetensors(folder / "a.safetensors",
                    {{{"a", Tensor::full({3}, 1)}, {"b", Tensor::full({2, 2}, 2)}}, {{"k", "v"}}});
  const std::string bytes = read_text(folder / "a.safetensors");
  for (std::size_t length = 0; length < bytes.size(); ++length)
    CHECK(refusal(bytes.substr(0, length)) != "");
  std::string damaged = bytes, huge = file_of("{}", "");  // with a checksum and without
  std::memset(damaged.data(), 0xff, 8);
  std::memset(huge.data(), 0xff, 8);
  CHECK(refusal(damaged).find("damaged") != std::string::npos);
  CHECK(refusal(huge).find("header") != std::string::npos);
}

TEST_CASE("a header may begin with spaces, as the format's own tests have it") {
  const std::string entry = R"({"a":{"dtype":"U8","shape":[10],"data_offsets":[0,10]}})";
  for (const char* spaces : {" ", "\t\n", "\r\n\r\n   ", "        "}) {
    const std::string bytes = file_of(spaces + entry, kTen);
    CHECK(parse_safetensors(bytes.data(), bytes.size(), "x").at("a").numel() == 10);
  }
  CHECK(refuses("x" + entry, kTen, "does not start with '{'"));
  CHECK(refuses("    ", "", "does not start with '{'"));
  if (const std::string valid =
          test::shared_path("data/faults/valid_whitespace_leading_padded_header.safetensors");
      !valid.empty())
    CHECK(read_safetensors(valid).tensors.empty());
}

TEST_CASE("tensors of types that are not read are listed, their size checked all the same") {
  const auto with = [](const std::string& type, const std::string& shape, int size) {
    return file_of(concat(R"({"a":{"dtype":"U8","shape":[10],"data_offsets":[0,10]},"b":{"dtype":")",
                          type, R"(","shape":)", shape, R"(,"data_offsets":[10,)", 10 + size,
                          "]}}"),
                   kTen + std::string(static_cast<std::size_t>(size), '\1'));
  };
  const std::tuple<const char*, const char*, int> cases[] = {
      {"F8_E4M3", "[2,3]", 6}, {"C64", "[3]", 24},  {"U16", "[5]", 10},
      {"U64", "[]", 8},        {"F4", "[4]", 2},    {"F6_E3M2", "[4]", 3}};
  for (const auto& [type, shape, size] : cases) {
    const std::string bytes = with(type, shape, size);
    const TensorFile file = parse_safetensors(bytes.data(), bytes.size(), "x");
    CHECK(file.tensors.size() == 1);
    CHECK(file.unread == std::map<std::string, std::string>{{"b", type}});
    CHECK_MESSAGE(refusal(with(type, shape, size + 1)).find("'b'") != std::string::npos, type);
  }
}
