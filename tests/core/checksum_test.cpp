// Files with a checksum: every flipped bit is noticed, what others write is read, and said so.
#include "core/io/checksum.h"

#include <cstring>
#include <nlohmann/json.hpp>

#include "core/io/files.h"
#include "core/io/json_text.h"
#include "core/io/notices.h"
#include "core/io/safetensors.h"
#include "core/io/weights_file.h"
#include "tests/support/flips.h"

using namespace shiftadd;

namespace {

// The notices of a scope.
class Notices {
 public:
  Notices() {
    receive_notices([this](const std::string& text) { said.push_back(text); });
  }
  ~Notices() { receive_notices(nullptr); }
  std::vector<std::string> said;
};

TensorFile small_file() {
  const Tensor bytes({5}, DType::kU8);
  std::memset(bytes.raw(), 0x20, 5);  // white space, should the header ever grow into it
  return {{{"a", Tensor::full({3, 4}, 0.5)}, {"b", bytes}},
          {{"shiftadd.model", "{}"}, {"note", "x"}}};
}

std::string all_of(const TensorFile& file) {
  std::string text;
  for (const auto& [key, value] : file.metadata) text += key + "=" + value + ";";
  for (const auto& [name, tensor] : file.tensors)
    text += concat(name, tensor.shape(), tensor.dtype()) +
            std::string(static_cast<const char*>(tensor.raw()), tensor.bytes());
  return text;
}

TensorFile parsed(const std::string& bytes) {
  return parse_safetensors(bytes.data(), bytes.size(), "x.safetensors");
}

std::string written(const TensorFile& file) {
  const test::TemporaryFolder folder;
  write_safetensors(folder / "x", file);
  return read_text(folder / "x");
}

struct Parts {
  nlohmann::ordered_json header;
  std::string data;
};
Parts parts_of(const std::string& bytes) {
  uint64_t size;
  std::memcpy(&size, bytes.data(), sizeof size);
  return {parse_ordered_json(bytes.substr(8, size)), bytes.substr(8 + size)};
}
std::string joined(const std::string& header, const std::string& data) {
  const uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), sizeof size) + header + data;
}

}  // namespace

TEST_CASE("checksum: a flipped bit anywhere in a safetensors file is noticed") {
  TensorFile no_metadata = small_file(), empty;
  no_metadata.metadata.clear();
  for (const TensorFile& file : {small_file(), no_metadata, empty}) {
    const std::string bytes = written(file);
    CHECK(parsed(bytes).has_checksum);
    CHECK(all_of(parsed(bytes)) == all_of(file));
    test::check_all_refused(bytes, [](const std::string& b) { return all_of(parsed(b)); });
  }
}

TEST_CASE("checksum: other damage than one bit is noticed, too") {
  const std::string bytes = written(small_file());
  const auto refusal = [](const std::string& damaged) {
    try {
      parsed(damaged);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  for (const std::size_t at : {0UL, 9UL, 30UL, 60UL, 100UL, bytes.size() - 4}) {
    std::string zeros = bytes, letters = bytes;
    zeros.replace(at, 4, 4, '\0');
    letters.replace(at, 3, "zzz");
    CHECK_MESSAGE(!refusal(zeros).empty(), at);
    CHECK_MESSAGE(!refusal(letters).empty(), at);
  }
  CHECK(test::contains(refusal(bytes.substr(0, bytes.size() - 1)), "damaged or cut short"));
  CHECK(test::contains(refusal(bytes + "x"), "damaged or cut short"));
  const std::string key = "shiftadd.checksum\":\"crc32c:";
  const std::size_t at = bytes.find(key);
  for (const char* other : {"shiftadd.checksun\":\"crc32c:", "shiftadd.checksum\":\"crc32b:",
                            "Shiftadd.checksum\":\"CRC32c:"})
    CHECK(test::contains(refusal(std::string(bytes).replace(at, key.size(), other)),
                         "it says something unreadable"));
  std::string capitals = bytes;
  for (std::size_t i = at + key.size(); i < at + key.size() + 8; ++i)
    capitals[i] = static_cast<char>(std::toupper(capitals[i]));
  if (capitals != bytes) CHECK(test::contains(refusal(capitals), "damaged"));
}

TEST_CASE("checksum: a file saved again by another program is read, and said so") {
  const test::TemporaryFolder folder;
  const auto [header, data] = parts_of(written(small_file()));
  auto without = header, last = header;
  without["__metadata__"].erase(kChecksumKey);
  const std::string stale = last["__metadata__"][kChecksumKey];
  last["__metadata__"].erase(kChecksumKey);
  last["__metadata__"][kChecksumKey] = stale;
  for (const std::string& text :
       {json_text(header), json_text(header, 1), json_text(without), json_text(last),
        json_text(last, 2), " \n" + json_text(without)}) {
    INFO(text);
    write_file(folder / "x.safetensors", joined(text, data));
    Notices notices;
    const TensorFile file = read_safetensors(folder / "x.safetensors");
    CHECK_FALSE(file.has_checksum);
    CHECK(all_of(file) == all_of(small_file()));
    CHECK(all_of(read_safetensors(folder / "x.safetensors")) == all_of(file));
    REQUIRE(notices.said.size() == 1);
    CHECK(notices.said[0].starts_with((folder / "x.safetensors") + ": has no checksum"));
    CHECK(parsed(written(file)).has_checksum);
  }
  Notices notices;
  write_file(folder / "x.safetensors", joined(R"({"__metadata__":{"format":"pt"}})", ""));
  read_safetensors(folder / "x.safetensors");  // never ours
  write_safetensors(folder / "x.safetensors", small_file());
  read_safetensors(folder / "x.safetensors");
  CHECK(notices.said.empty());
}

TEST_CASE("checksum: JSON files of ours have one, and lose it without harm") {
  const test::TemporaryFolder folder;
  const std::string path = folder / "x.json";
  const std::string text = with_checksum("{\n  \"a\": 1.25,\n  \"b\": [1, 2]\n}\n");
  const auto read = [&](const std::string& bytes) {
    write_file(path, bytes);
    return json_text(parse_json(read_checked_json(path)));
  };
  CHECK(test::contains(read(text), R"("a":1.25,"b":[1,2])"));
  test::check_all_refused(text, [&](const std::string& b) {
    write_file(path, b);
    return read_checked_json(path);
  });
  for (const int indent : {-1, 0, 2}) {
    Notices notices;
    read(json_text(parse_ordered_json(text), indent));
    CHECK(notices.said.size() == 1);
  }
}

TEST_CASE("safetensors: white space may stand before the first brace") {
  const test::TemporaryFolder folder;
  const std::string one = R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
  for (const std::string& header :
       {"  " + one, "\t\r\n" + one + "\n ", std::string(200, ' ') + one})
    for (const char* name : {"x.safetensors", "x"}) {
      write_file(folder / name, joined(header, "7"));
      CHECK(*read_weights(folder / name).tensors.at(0).second.data<uint8_t>() == '7');
    }
  for (const char* header : {"  ", "\xef\xbb\xbf{}", "\v{}"})
    CHECK_THROWS_WITH_AS(parsed(joined(header, "")), doctest::Contains("does not start"), Error);
  CHECK_THROWS_WITH_AS(parsed(joined("", "")), doctest::Contains("only zeros"), Error);
  const std::string path =
      test::shared_path("data/faults/valid_whitespace_leading_padded_header.safetensors");
  if (!path.empty()) CHECK(read_weights(path).tensors.empty());
}
