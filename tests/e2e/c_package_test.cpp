// The C interface as a user gets it: installed, found by CMake, built into the example, run.
#include <filesystem>

#include "core/io/json_text.h"
#include "tests/e2e/infer_support.h"

using namespace shiftadd;
using test::contains;
using test::InferFolder;
using test::ProcessResult;

TEST_CASE("a C program embeds the installed library") {
  const InferFolder folder;
  const auto succeed = [](const std::vector<std::string>& command) {
    const ProcessResult result = test::run(command);
    INFO(result.out, result.err);
    REQUIRE(result.status == 0);
    return result;
  };
  const std::string prefix = folder / "prefix", build = folder / "build";
  succeed(
      {"cmake", "--install", test::build_folder(), "--prefix", prefix, "--component", "library"});
  succeed({"cmake", "-G", "Ninja", "-S", test::source_folder() + "/examples/classify", "-B", build,
           "-DCMAKE_PREFIX_PATH=" + prefix});
  succeed({"cmake", "--build", build});

  const std::string image = folder.image("photo.bmp", 40, 50, 3);
  const ProcessResult ours = folder.infer({image, "--top-k", "3", "--json"});
  const auto top = parse_json(ours.out)[0]["top"];
  const ProcessResult result = succeed({build + "/classify", folder.model_path(), image});
  std::string expected;
  for (const auto& each : top) {
    char line[200];
    std::snprintf(line, sizeof line, "%s\t%s\t%.4f\n", image.c_str(),
                  each["class"].get<std::string>().c_str(), each["probability"].get<double>());
    expected += line;
  }
  CHECK(result.out == expected);

  const ProcessResult no_model =
      test::run({build + "/classify", folder / "none.safetensors", image});
  CHECK(no_model.status == 2);
  CHECK(contains(no_model.err, "none.safetensors"));
  test::write_text(folder / "broken.jpg", "not an image");
  const ProcessResult broken =
      test::run({build + "/classify", folder.model_path(), folder / "broken.jpg", image});
  CHECK(broken.status == 2);
  CHECK(contains(broken.err, "broken.jpg"));
  CHECK(broken.out == expected);  // the one after it is classified
}
