// What a clone or a download leaves in a file's place (a Git LFS pointer, a web page) is named by
// every program and for every kind of file.
#include <filesystem>

#include "tests/e2e/infer_support.h"

using namespace shiftadd;
using test::contains;
using test::ProcessResult;

namespace {

const std::string kPointer =
    "version https://git-lfs.github.com/spec/v1\noid sha256:"
    "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
const std::string kPage = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>\n";

}  // namespace

TEST_CASE("pointers and web pages in place of files are named by every program") {
  const test::InferFolder folder;
  const std::string weights = test::golden_folder() + "/models/vit_micro.pth",
                    out = folder / "out.safetensors";
  const std::string train = test::program("shiftadd-train"),
                    convert = test::program("shiftadd-convert"),
                    infer = test::program("shiftadd-infer"),
                    bench = test::program("shiftadd-bench");
  for (const auto& [content, what] :
       {std::pair{kPointer, "is a Git LFS pointer"}, std::pair{kPage, "is a web page (HTML)"}}) {
    for (const char* name : {"x.json", "x.tar", "x.txt", "x.pth", "x.safetensors"})
      test::write_text(folder / name, content);
    const std::string json = folder / "x.json", tar = folder / "x.tar", list = folder / "x.txt";
    const std::vector<std::vector<std::string>> commands = {
        {train, json},
        {convert, weights, "--arch", json, "--out", out},
        {convert, weights, "--arch", "vit_micro", "--mapping", json, "--out", out},
        {convert, weights, "--arch", "vit_micro", "--preprocess", json, "--out", out},
        {convert, weights, "--arch", "vit_micro", "--classes", list, "--out", out},
        {convert, folder / "x.pth", "--arch", "vit_micro", "--out", out},
        {convert, folder / "x.safetensors", "--arch", "vit_micro", "--out", out},
        {infer, folder.model_path(), "--eval", tar},
        {bench, "count", json}};
    for (const std::vector<std::string>& command : commands) {
      const ProcessResult result = test::run(command);
      CAPTURE(command.at(command.size() > 2 ? 2 : 1));
      CHECK_MESSAGE(result.status == 2, result.err);
      CHECK_MESSAGE(contains(result.err, what), result.err);
      CHECK_MESSAGE(contains(result.err, folder / "x."), result.err);
      CHECK(result.out.empty());
      CHECK_FALSE(std::filesystem::exists(out));
    }
  }
}
