// summary(): rows for every layer, totals equal to the model's counts.
#include <sstream>

#include "layers/model.h"
#include "tests/support/support.h"

namespace shiftadd::layers {
namespace {

TEST_CASE("summary: rows add up to the totals") {
  for (const char* name : {"vit_micro", "deit_tiny_patch16_224"}) {
    const ModelSpec spec = named_spec(name);
    std::istringstream text(summary(network_of(spec)));
    std::string line, last;
    std::getline(text, line);
    CHECK(line.find("layer") == 0);
    CHECK(line.find("parameters") != std::string::npos);
    CHECK(line.find("MACs") != std::string::npos);
    int64_t parameters = 0, macs = 0, rows = 0;
    bool qkv = false;
    const auto number_before = [](std::string& of) {  // the last number of the line, taken off
      const std::size_t at = of.find_last_of(' ');
      const int64_t value = std::stoll(of.substr(at + 1));
      of.erase(of.find_last_not_of(' ', at) + 1);
      return value;
    };
    while (std::getline(text, line)) {
      const bool total = line.find("total") == 0;
      qkv = qkv || line.find("blocks.0.attn.qkv  ") == 0;
      const int64_t m = number_before(line), p = number_before(line);
      if (total) {
        CHECK(p == count_parameters(spec));
        CHECK(p == parameters);
        CHECK(m == count_macs(spec).total());
        CHECK(m == macs);
      }
      parameters += p, macs += m, ++rows;
    }
    CHECK(qkv);
    // cls, pos, patches, norm, head, total; a block: two norms, qkv, products, proj, fc1, fc2.
    CHECK(rows == 6 + 7 * spec.depth);
  }
}

}  // namespace
}  // namespace shiftadd::layers
