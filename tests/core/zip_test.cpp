// Zip archives of torch.save with damage: the entries' sums, and archives saved without them.
#include "core/io/zip.h"

#include <cstring>

#include "core/io/files.h"
#include "core/io/torch_file.h"
#include "core/io/weights_file.h"
#include "tests/core/torch_bytes.h"
#include "tests/support/flips.h"

using namespace shiftadd;
using test::PickleBytes;

namespace {

const uint8_t* data_of(const std::string& bytes) {
  return reinterpret_cast<const uint8_t*>(bytes.data());
}

// Names, shapes and the sum of the bytes of every tensor.
std::string summary(const std::string& bytes, bool check_crc = true) {
  std::string text;
  for (const auto& [name, tensor] :
       parse_torch(data_of(bytes), bytes.size(), "x.pth", "", nullptr, check_crc).tensors)
    text +=
        concat(name, tensor.shape(), tensor.dtype(), crc32c(tensor.raw(), tensor.bytes()), '\n');
  return text;
}

std::vector<test::ZipMember> members() {
  const std::string pickle = PickleBytes()
                                 .dict()
                                 .text("w")
                                 .tensor("0", 6, {2, 3}, {3, 1})
                                 .set()
                                 .text("b")
                                 .tensor("1", 3, {3}, {1})
                                 .set()
                                 .stop();
  return {{"archive/data.pkl", pickle},
          {"archive/byteorder", "little"},
          {"archive/data/0", test::bytes_of<float>({0, 1, 2, 3, 4, 5})},
          {"archive/data/1", test::bytes_of<float>({6, 7, 8})},
          {"archive/empty", ""},
          {"archive/version", "3\n"}};
}

std::string refusal(const std::string& bytes) {
  try {
    summary(bytes);
  } catch (const Error& error) {
    CHECK(error.exit_code() == 2);
    CHECK(test::contains(error.what(), "x.pth"));
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("zip: no flipped bit of a checkpoint changes a number") {
  const std::string bytes = test::zip_bytes(members());
  std::vector<std::size_t> all;
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) all.push_back(bit);
  const auto read = [](const std::string& damaged) { return summary(damaged); };
  CHECK(test::check_flips(bytes, all, read) > all.size() / 2);
  const std::string golden = read_text(test::golden_folder() + "/models/vit_micro.pth");
  test::check_flips(golden, test::bits_to_flip(golden.size()), read);
  const std::string real = test::shared_path("data/weights/deit_cifar10.pth");
  if (real.empty()) return;
  const std::string large = read_text(real);
  test::check_flips(large, test::bits_to_flip(large.size(), 0), read);
}

TEST_CASE("zip: damage is named, and --no-crc only where no sum at all is right") {
  std::vector<test::ZipMember> some = members();
  CHECK(refusal(test::zip_bytes(some)).empty());
  const std::string whole = summary(test::zip_bytes(some));
  some[3].crc_error = 1;
  const std::string one = refusal(test::zip_bytes(some));
  CHECK(test::contains(one, "'archive/data/1' does not have the CRC-32"));
  CHECK_FALSE(test::contains(one, "--no-crc"));
  some[0].crc_error = 0x80000000;
  CHECK(test::contains(refusal(test::zip_bytes(some)), "'archive/data.pkl' and 1 more do not"));
  for (test::ZipMember& member : some) member.crc_error = member.data.empty() ? 0 : 0x1234567;
  CHECK(test::contains(refusal(test::zip_bytes(some)), "read it with --no-crc"));
  CHECK(summary(test::zip_bytes(some), false) == whole);
  for (test::ZipMember& member : some)  // zeros, as other writers leave them
    member.crc_error = -crc32_of_zip(member.data.data(), member.data.size());
  CHECK(test::contains(refusal(test::zip_bytes(some)), "read it with --no-crc"));
  some[1].crc_error = 0;
  CHECK_FALSE(test::contains(refusal(test::zip_bytes(some)), "--no-crc"));
}
