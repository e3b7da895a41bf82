// What the process tests of shiftadd-infer and shiftadd-bench share: a tiny model file and image
// folders.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "model/model_file.h"
#include "tests/data/bitmap.h"
#include "tests/infer/models.h"
#include "tests/support/support.h"

namespace shiftadd::test {

inline const std::vector<std::string>& micro_classes() {
  static const std::vector<std::string> names = {"ant", "bee", "cat", "dog", "elk", "fox", "gnu"};
  return names;
}

/// A folder with "model.safetensors" (vit_micro, random weights, named classes).
class InferFolder {
 public:
  InferFolder() {
    ModelFile model = random_model(named_spec("vit_micro"), 1);
    model.classes = micro_classes();
    save_model(model_path(), model);
  }
  std::string model_path() const { return folder_ / "model.safetensors"; }
  std::string operator/(const std::string& name) const { return folder_ / name; }
  const std::string& path() const { return folder_.path(); }

  /// Writes an image of any size and returns its path.
  std::string image(const std::string& name, int width, int height, int seed) const {
    write_text(folder_ / name, bitmap(width, height, seed));
    return folder_ / name;
  }
  /// SET/CLASS/0.bmp .. for each class.
  std::string labelled(const std::string& set, const std::vector<std::string>& classes,
                       int per_class) const {
    for (std::size_t label = 0; label < classes.size(); ++label)
      for (int i = 0; i < per_class; ++i)
        image(set + "/" + classes[label] + "/" + std::to_string(i) + ".bmp", 40 + i, 50 - i,
              static_cast<int>(label) * 10 + i);
    return folder_ / set;
  }

  /// shiftadd-infer model.safetensors ARGUMENTS...
  ProcessResult infer(const std::vector<std::string>& arguments,
                      const std::string& input = "") const {
    std::vector<std::string> command = {program("shiftadd-infer"), model_path()};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return run(command, input, {}, folder_.path());
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace shiftadd::test
