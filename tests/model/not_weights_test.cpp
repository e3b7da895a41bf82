// Files that are saved in place of weights are named as what they are, whoever reads them.
#include "core/io/not_weights.h"

#include "core/io/weights_file.h"
#include "model/model_file.h"
#include "tests/support/support.h"

using namespace shiftadd;

namespace {

struct Case {
  std::string content;
  const char* what;
};

const std::string kPointer =
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
    "size 22935\n";

std::vector<Case> cases() {
  const auto zeros = [](std::size_t size) { return std::string(size, '\0'); };
  return {
      {kPointer, "is a Git LFS pointer, not the file itself (of 22935 bytes)"},
      {"version https://hawser.github.com/spec/v1\noid sha256:0\n", "is a Git LFS pointer"},
      {"/annex/objects/SHA256E-s22935--4d7a.pth\n", "is a git-annex pointer"},
      {"<!DOCTYPE html>\n<html lang=\"en\">", "is a web page (HTML)"},
      {"\n  <HTML><head><title>404", "is a web page (HTML)"},
      {"\xef\xbb\xbf<html>", "is a web page (HTML)"},
      {"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "AccessDenied"},
      {R"({"error": "Repository not found"})", "is JSON text"},
      {R"({"metadata": {}, "weight_map": {"cls_token": "model-00001-of-00002.safetensors"}})",
       "checkpoint in several files"},
      {"Not Found: the file was moved", "is text, not weights: 'Not Found: the file was moved'"},
      {"", "is empty"},
      {zeros(4096), "holds only zeros"},
      {"\x1f\x8b\x08" + zeros(20), "gunzip"},
      {"BZh91AY&SY" + zeros(20), "bunzip2"},
      {"\x28\xb5\x2f\xfd" + zeros(20), "unzstd"},
      {"model.pth" + zeros(248) + "ustar" + zeros(300), "is a tar archive"},
      {"\x89HDF\r\n\x1a\n" + zeros(20), "HDF5"},
      {"\x89PNG\r\n\x1a\n" + zeros(20), "is a PNG image"},
  };
}

}  // namespace

TEST_CASE("what was saved in place of weights is named, by every reader and under every name") {
  const test::TemporaryFolder folder;
  for (const Case& each : cases()) {
    INFO(each.what);
    const auto* bytes = reinterpret_cast<const uint8_t*>(each.content.data());
    CHECK(test::contains(what_instead_of_weights(bytes, each.content.size()), each.what));
    for (const char* name : {"w.safetensors", "w.pth", "w.bin"}) {
      const std::string path = folder / name;
      test::write_text(path, each.content);
      CHECK_THROWS_WITH_AS(read_weights(path), doctest::Contains(each.what), Error);
      CHECK_THROWS_WITH_AS(load_any_model(path), doctest::Contains(each.what), Error);
      CHECK_THROWS_WITH_AS(load_model(path), doctest::Contains(path.c_str()), Error);
    }
  }
}

TEST_CASE("what nobody knows stays unknown") {
  const std::string noise = std::string("\x93\x01\x7f\x00\xc3 noise \x02", 13), brief = "abc";
  for (const std::string& content : {noise, brief})
    CHECK(what_instead_of_weights(reinterpret_cast<const uint8_t*>(content.data()),
                                  content.size()) == "");
}
