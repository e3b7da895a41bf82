// Event files: CRC vectors, and a reader that decodes the records back.
#include "train/tensorboard.h"

#include <bit>
#include <cstring>

#include "core/io/files.h"
#include "tests/support/support.h"

using namespace shiftadd;
using namespace shiftadd::train;

namespace {

template <class T>
T fixed(std::string_view bytes) {
  T value;
  REQUIRE(bytes.size() >= sizeof value);
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

uint64_t varint(std::string_view& bytes) {
  uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    REQUIRE(!bytes.empty());
    const auto byte = static_cast<uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 127) << shift;
    if (byte < 128) return value;
  }
}

struct Field {
  uint64_t number = 0, integer = 0;
  std::string_view bytes;  // of lengths 4 and 8, too
};

std::vector<Field> decode(std::string_view message) {
  std::vector<Field> fields;
  while (!message.empty()) {
    const uint64_t key = varint(message);
    Field field;
    field.number = key >> 3;
    if ((key & 7) == 0) {
      field.integer = varint(message);
    } else {
      const std::size_t size = (key & 7) == 1 ? 8 : (key & 7) == 5 ? 4 : varint(message);
      REQUIRE(message.size() >= size);
      field.bytes = message.substr(0, size);
      message.remove_prefix(size);
    }
    fields.push_back(field);
  }
  return fields;
}

std::vector<std::string> records(const std::string& path) {
  const std::string text = read_text(path);
  std::string_view rest = text;
  std::vector<std::string> result;
  while (!rest.empty()) {
    const auto length = fixed<uint64_t>(rest);
    REQUIRE(rest.size() >= 16 + length);
    CHECK(fixed<uint32_t>(rest.substr(8)) == masked_crc32c(rest.substr(0, 8)));
    const std::string_view data = rest.substr(12, length);
    CHECK(fixed<uint32_t>(rest.substr(12 + length)) == masked_crc32c(data));
    result.emplace_back(data);
    rest.remove_prefix(16 + length);
  }
  return result;
}

}  // namespace

TEST_CASE("CRC-32C gives the published values") {  // RFC 3720, B.4
  CHECK(crc32c("123456789") == 0xE3069283u);
  CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AAu);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62A8AB43u);
  CHECK(crc32c("") == 0);
}

TEST_CASE("records decode back, also when a file is continued") {
  const test::TemporaryFolder folder;
  const std::string path = folder / "events";
  int64_t size = 0;
  {
    EventFile file(path, 0, 1.5);
    file.write(300, 2.5, {{"train/loss", 0.25}, {"train/lr", 1e-3}});
    size = file.size();
    file.write(301, 2.75, {{"lost", 1}});
  }
  {
    EventFile file(path, size, 9);
    file.write(70000, 3.5, {{"val/top1", 51.5}});
  }
  const auto found = records(path);
  REQUIRE(found.size() == 3);
  const auto version = decode(found[0]);
  CHECK(version[0].number == 1);
  CHECK(fixed<double>(version[0].bytes) == 1.5);
  CHECK(version[1].number == 3);
  CHECK(version[1].bytes == "brain.Event:2");
  const auto event = decode(found[1]);
  REQUIRE(event.size() == 3);
  CHECK(fixed<double>(event[0].bytes) == 2.5);
  CHECK(event[1].number == 2);
  CHECK(event[1].integer == 300);
  CHECK(event[2].number == 5);
  const auto values = decode(event[2].bytes);
  REQUIRE(values.size() == 2);
  const auto value = decode(values[1].bytes);
  CHECK(value[0].bytes == "train/lr");
  CHECK(fixed<float>(value[1].bytes) == 1e-3f);
  CHECK(decode(found[2])[1].integer == 70000);
}
