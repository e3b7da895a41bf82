// PyTorch checkpoints built byte by byte: containers, dtypes, views, wrappers, hostile and
// truncated files.
#include "core/io/torch_file.h"

#include <cstring>

#include "core/error.h"
#include "core/memory.h"
#include "tests/core/torch_bytes.h"
#include "tests/support/support.h"

using namespace shiftadd;
using test::PickleBytes;

namespace {

TorchFile parse(const std::string& bytes, const std::string& key = "") {
  return parse_torch(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), "x.pth", key);
}

std::string refusal(const std::string& bytes, const std::string& key = "") {
  try {
    parse(bytes, key);
    return "";
  } catch (const Error& error) {
    CHECK(error.exit_code() == 2);
    CHECK(std::string(error.what()).find("x.pth") != std::string::npos);
    return error.what();
  }
}

bool refuses(const std::string& bytes, const std::string& reason) {
  const std::string text = refusal(bytes);
  INFO(text);
  return text.find(reason) != std::string::npos;
}

const std::vector<float> kSix = {0, 1, 2, 3, 4, 5};
const std::string kSixBytes = test::bytes_of(kSix);

// {"w": tensor}
std::string one_tensor(const std::vector<int32_t>& size, const std::vector<int32_t>& stride,
                       int32_t offset = 0, int32_t elements = 6) {
  return PickleBytes().dict().text("w").tensor("0", elements, size, stride, offset).set().stop();
}

std::vector<float> values(const Tensor& tensor) {
  const auto span = tensor.span<float>();
  return {span.begin(), span.end()};
}

}  // namespace

TEST_CASE("views, offsets and strides become dense tensors in both containers") {
  struct Case {
    std::vector<int32_t> size, stride;
    int32_t offset;
    std::vector<float> expected;
  };
  for (const Case& each :
       {Case{{2, 3}, {3, 1}, 0, {0, 1, 2, 3, 4, 5}}, Case{{3, 2}, {1, 3}, 0, {0, 3, 1, 4, 2, 5}},
        Case{{2}, {3}, 1, {1, 4}}, Case{{}, {}, 5, {5}}, Case{{1, 1, 3}, {77, 99, 2}, 0, {0, 2, 4}},
        Case{{0, 3}, {3, 1}, 0, {}}, Case{{2, 2}, {2, 1}, 1, {1, 2, 3, 4}}}) {
    const std::string pickle = one_tensor(each.size, each.stride, each.offset);
    for (const std::string& bytes :
         {test::torch_zip(pickle, {kSixBytes}), test::torch_legacy(pickle, {kSixBytes})}) {
      const TorchFile file = parse(bytes);
      REQUIRE(file.tensors.size() == 1);
      CHECK(file.tensors[0].first == "w");
      CHECK(file.tensors[0].second.shape() == Shape(each.size.begin(), each.size.end()));
      CHECK(values(file.tensors[0].second) == each.expected);
    }
  }
}

TEST_CASE("storages of every dtype") {
  const std::tuple<const char*, DType, std::string> cases[] = {
      {"FloatStorage", DType::kF32, test::bytes_of<float>({1, 2})},
      {"DoubleStorage", DType::kF64, test::bytes_of<double>({1, 2})},
      {"HalfStorage", DType::kF16, test::bytes_of<uint16_t>({0x3c00, 0x4000})},
      {"BFloat16Storage", DType::kBF16, test::bytes_of<uint16_t>({0x3f80, 0x4000})},
      {"LongStorage", DType::kI64, test::bytes_of<int64_t>({1, 2})},
      {"IntStorage", DType::kI32, test::bytes_of<int32_t>({1, 2})},
      {"ShortStorage", DType::kI32, test::bytes_of<int16_t>({1, 2})},
      {"CharStorage", DType::kI8, test::bytes_of<int8_t>({1, 2})},
      {"ByteStorage", DType::kU8, test::bytes_of<uint8_t>({1, 2})},
      {"BoolStorage", DType::kU8, test::bytes_of<uint8_t>({1, 2})}};
  for (const auto& [type, dtype, data] : cases) {
    const std::string pickle =
        PickleBytes().dict().text("w").tensor("0", 2, {2}, {1}, 0, type).set().stop();
    const std::string bytes = test::torch_zip(pickle, {data});  // the tensors are views of it
    const TorchFile file = parse(bytes);
    const Tensor& tensor = file.tensors.at(0).second;
    CHECK(tensor.dtype() == dtype);
    CHECK(values(tensor.to(DType::kF64).to(DType::kF32)) == std::vector<float>{1, 2});
  }
  const std::string complex = PickleBytes()
                                  .dict()
                                  .text("w")
                                  .tensor("0", 1, {1}, {1}, 0, "ComplexFloatStorage")
                                  .set()
                                  .stop();
  CHECK(refuses(test::torch_zip(complex, {std::string(8, '\0')}), "ComplexFloatStorage"));
  const std::string unknown =
      PickleBytes().dict().text("w").tensor("0", 1, {1}, {1}, 0, "NewStorage").set().stop();
  CHECK(refuses(test::torch_zip(unknown, {std::string(8, '\0')}), "torch.NewStorage"));
}

TEST_CASE(
    "wrappers, nested dicts, lists, parameters, shared storages, classes and foreign entries") {
  PickleBytes p;
  p.dict()
      .text("args")
      .global("argparse", "Namespace")
      .raw(")\x81")
      .dict()
      .text("lr")
      .number(1)
      .set()
      .raw("b")
      .set();
  p.text("classes").raw("](").text("cat").text("dog").raw("e").set();
  p.text("step").tensor("0", 6, {}, {}, 1).set();
  p.text("state_dict").global("collections", "OrderedDict").raw(")R");
  p.text("a").tensor("0", 6, {2}, {1}).set();
  p.text("b")
      .dict()
      .text("c")
      .raw("](")
      .tensor("0", 6, {2}, {1}, 1)
      .tensor("0", 6, {1}, {1}, 2)
      .raw("e")
      .set()
      .set();
  p.text("d")
      .global("torch._utils", "_rebuild_parameter")
      .raw("(")
      .tensor("0", 6, {1}, {1}, 3)
      .raw("\x88")
      .global("collections", "OrderedDict")
      .raw(")RtR")
      .set();
  p.dict().text("_metadata").number(1).set().raw("b").set();
  const std::string bytes = test::torch_zip(p.stop(), {kSixBytes});
  const TorchFile file = parse(bytes);
  CHECK(file.wrapper == "state_dict");
  CHECK(file.outside == std::vector<std::string>{"step"});
  CHECK(file.placeholders == std::vector<std::string>{"argparse.Namespace"});
  CHECK(file.classes == std::vector<std::string>{"cat", "dog"});
  REQUIRE(file.tensors.size() == 4);
  CHECK(file.tensors[0].first == "a");
  CHECK(file.tensors[1].first == "b.c.0");
  CHECK(file.tensors[2].first == "b.c.1");
  CHECK(file.tensors[3].first == "d");
  CHECK(values(file.tensors[1].second) == std::vector<float>{1, 2});
  CHECK(values(file.tensors[3].second) == std::vector<float>{3});

  const TorchFile chosen = parse(bytes, "state_dict.b");
  CHECK(chosen.tensors[0].first == "c.0");
  CHECK(refusal(test::torch_zip(p.stop(), {kSixBytes}), "state_dict.x").find("'x'") !=
        std::string::npos);
}

TEST_CASE("a tensor that depends on a placeholder is an error") {
  PickleBytes size;
  size.dict()
      .text("w")
      .global("torch._utils", "_rebuild_tensor_v2")
      .raw("(")
      .storage("0", 6)
      .number(0);
  size.global("evil", "Size").raw(")R").tuple({1}).raw("\x89NtR").set();
  CHECK(refuses(test::torch_zip(size.stop(), {kSixBytes}), "evil.Size"));
  PickleBytes storage;
  storage.dict()
      .text("w")
      .global("torch._utils", "_rebuild_tensor_v2")
      .raw("(")
      .global("evil", "Storage")
      .raw(")R");
  storage.number(0).tuple({1}).tuple({1}).raw("\x89NtR").set();
  CHECK(refuses(test::torch_zip(storage.stop(), {kSixBytes}), "evil.Storage"));
  PickleBytes wrapped;
  wrapped.dict().text("w").global("evil", "Wrap").raw("(").tensor("0", 6, {1}, {1}).raw("tR").set();
  CHECK(refuses(test::torch_zip(wrapped.stop(), {kSixBytes}), "evil.Wrap"));
  const std::string reduce = PickleBytes()
                                 .dict()
                                 .text("w")
                                 .global("os", "system")
                                 .raw("(")
                                 .text("touch x")
                                 .raw("tR")
                                 .set()
                                 .stop();
  CHECK(refuses(test::torch_zip(reduce), "os.system"));
  CHECK(refuses(test::torch_legacy(reduce), "os.system"));
  CHECK(refuses(reduce, "os.system"));
}

TEST_CASE("tensors that reach beyond their storage, or repeat it, are refused") {
  const auto zip = [](const std::string& pickle) { return test::torch_zip(pickle, {kSixBytes}); };
  CHECK(refuses(zip(one_tensor({7}, {1})), "beyond its storage"));
  CHECK(refuses(zip(one_tensor({2}, {6})), "beyond its storage"));
  CHECK(refuses(zip(one_tensor({1}, {1}, 6)), "beyond its storage"));
  CHECK(refuses(zip(one_tensor({2, 2}, {1, 2147483647})), "beyond its storage"));
  CHECK(refuses(zip(one_tensor({2147483647, 2147483647, 2147483647}, {0, 0, 0})), "storage"));
  CHECK(refuses(zip(one_tensor({1000000}, {0})), "expanded"));
  CHECK(refuses(zip(one_tensor({-1}, {1})), "integers from 0"));
  CHECK(refuses(zip(one_tensor({1}, {-1})), "integers from 0"));
  CHECK(refuses(zip(one_tensor({1}, {1}, -1)), "offset"));
  CHECK(refuses(zip(one_tensor({1, 1}, {1})), "different length"));
  CHECK(refuses(zip(one_tensor({7}, {1}, 0, 7)), "the file holds 6"));
  CHECK(refuses(test::torch_zip(one_tensor({1}, {1})), "storage '0'"));
  CHECK(refuses(test::torch_legacy(one_tensor({1}, {1}, 0, 6)), "storage '0'"));

  // A thousand transposed views of one storage: more than the file justifies.
  PickleBytes many;
  many.dict();
  for (int i = 0; i < 1000; ++i)
    many.text("w" + std::to_string(i)).tensor("0", 90000, {300, 300}, {1, 300}).set();
  reset_peak_memory();
  const std::size_t before = memory_stats().in_use;
  const std::string bytes = test::torch_zip(many.stop(), {std::string(360000, 'x')});
  CHECK(refuses(bytes, "four times the file"));
  CHECK(memory_stats().peak - before <= 5 * bytes.size());
}

TEST_CASE("archives that are not checkpoints are refused with the reason") {
  const std::string pickle = one_tensor({6}, {1});
  CHECK(refuses("abc", "neither"));
  CHECK(refuses("", "neither"));
  CHECK(refuses(test::zip_bytes({{"a/readme", "x"}}), "without data.pkl"));
  CHECK(refuses(test::zip_bytes({{"a/data.pkl", pickle}, {"b/data.pkl", pickle}}), "two data.pkl"));
  CHECK(refuses(test::zip_bytes({{"a/data.pkl", pickle}, {"a/data.pkl", pickle}}), "twice"));
  CHECK(refuses(test::zip_bytes({{"a/data.pkl", pickle, 8}}), "compressed (method 8)"));
  CHECK(refuses(test::zip_bytes({{"a/data.pkl", pickle}, {"a/constants.pkl", ""}}), "TorchScript"));
  CHECK(refuses(
      test::zip_bytes({{"a/data.pkl", pickle}, {"a/byteorder", "big"}, {"a/data/0", kSixBytes}}),
      "'big'"));
  CHECK(refusal(test::zip_bytes(
            {{"a/data.pkl", pickle}, {"a/byteorder", "little"}, {"a/data/0", kSixBytes}})) == "");
  CHECK(refuses(test::torch_zip(PickleBytes().dict().text("epoch").number(1).set().stop()),
                "no tensors"));
  CHECK(refuses(test::torch_zip(PickleBytes().global("models", "Net").raw(")\x81}b").stop()),
                "models.Net"));
  CHECK(refuses(PickleBytes().dict().stop(), "bare pickle"));
  // Two dicts that share a name once they are joined by dots.
  const std::string twice = PickleBytes()
                                .dict()
                                .text("a.b")
                                .tensor("0", 6, {1}, {1})
                                .set()
                                .text("a")
                                .dict()
                                .text("b")
                                .tensor("0", 6, {1}, {1})
                                .set()
                                .set()
                                .stop();
  CHECK(refuses(test::torch_zip(twice, {kSixBytes}), "'a.b' occurs twice"));
  // A list that holds itself many times.
  std::string tangle = "\x80\x02]q" + std::string(1, '\0') + "(";
  for (int i = 0; i < 50; ++i) tangle += std::string("h\0", 2);
  CHECK(refusal(test::torch_zip(tangle + "e.")) != "");
}

TEST_CASE(
    "a checkpoint cut short at any length is refused, one with any byte changed does not crash") {
  const std::string pickle = one_tensor({3, 2}, {1, 3});
  for (std::string bytes :
       {test::torch_zip(pickle, {kSixBytes}), test::torch_legacy(pickle, {kSixBytes})}) {
    CHECK(refusal(bytes) == "");
    for (std::size_t length = 0; length < bytes.size(); ++length)
      CHECK(refusal(bytes.substr(0, length)) != "");
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      for (const int flip : {0x01, 0x80, 0xff}) {
        std::string changed = bytes;
        changed[at] = static_cast<char>(changed[at] ^ flip);
        refusal(changed);
      }
    }
  }
}

TEST_CASE("a tensor of a type that is not read is listed and refuses nothing beside it") {
  const auto beside = [](const PickleBytes& value) {
    PickleBytes p;
    p.dict().text("w").tensor("0", 6, {6}, {1}).set().text("odd").raw(value.bytes.substr(2)).set();
    return test::torch_zip(p.stop(), {kSixBytes, std::string(64, '\1')});
  };
  const auto typed = [](const char* type) {
    return PickleBytes().tensor("1", 1, {1}, {1}, 0, type);
  };
  PickleBytes float8;
  float8.global("torch._utils", "_rebuild_tensor_v3").raw("(").storage("1", 4, "UntypedStorage");
  float8.number(0).tuple({4}).tuple({1}).raw("\x89N").global("torch", "float8_e4m3fn").raw("NtR");
  PickleBytes quantised;
  quantised.global("torch._utils", "_rebuild_qtensor").raw("(").storage("1", 4, "QInt8Storage");
  quantised.number(0).tuple({4}).tuple({1}).raw("NtR");
  PickleBytes sparse;
  sparse.global("torch._utils", "_rebuild_sparse_tensor").raw("(").global("torch", "sparse_coo");
  sparse.raw("(").tensor("1", 2, {1, 2}, {2, 1}).tensor("1", 2, {2}, {1}).tuple({4}).raw("ttR");
  PickleBytes own;
  own.global("torch._tensor", "_rebuild_from_type_v2").raw("(");
  own.global("mine", "rebuild").global("mine", "Tensor").raw(")NtR");
  PickleBytes array;
  array.global("numpy.core.multiarray", "_reconstruct").raw("(").global("numpy", "ndarray");
  array.tuple({0}).text("b").raw("tR(K\x01)tb");
  const std::pair<PickleBytes, const char*> cases[] = {
      {typed("ComplexFloatStorage"), "is of the type torch.ComplexFloatStorage"},
      {typed("ComplexDoubleStorage"), "is of the type torch.ComplexDoubleStorage"},
      {typed("QUInt4x2Storage"), "is of the type torch.QUInt4x2Storage"},
      {typed("NewStorage"), "is of the type torch.NewStorage"},
      {float8, "is of the type torch.float8_e4m3fn, which is not read"},
      {quantised, "depends on torch._utils._rebuild_qtensor"},
      {sparse, "depends on torch._utils._rebuild_sparse_tensor"},
      {own, "is of a type of its own"},
      {array, "is an array of NumPy's"}};
  for (const auto& [value, reason] : cases) {
    INFO(reason);
    const std::string bytes = beside(value);
    const TorchFile file = parse(bytes);
    CHECK(file.tensors.size() == 1);
    REQUIRE(file.unread.contains("odd"));
    CHECK(test::contains(file.unread.at("odd"), reason));
    // Alone, there is nothing to read.
    PickleBytes alone;
    alone.dict().text("odd").raw(value.bytes.substr(2)).set();
    CHECK(refuses(test::torch_zip(alone.stop(), {kSixBytes, std::string(64, '\1')}), reason));
  }
}

TEST_CASE("of two entries with one network the plain one is read, or both are named") {
  const auto with = [](const std::vector<std::string>& keys, const std::string& prefix = "") {
    PickleBytes p;
    p.dict();
    int32_t offset = 0;
    for (const std::string& key : keys)
      p.text(key).dict().text((&key == &keys[0] ? "" : prefix) + "w")
          .tensor("0", 6, {1}, {1}, offset++).set().set();
    return test::torch_zip(p.stop(), {kSixBytes});
  };
  const auto chosen = [&](const std::vector<std::string>& keys, const std::string& key = "") {
    const std::string bytes = with(keys);
    const TorchFile file = parse(bytes, key);
    return std::pair(file.wrapper, values(file.tensors.at(0).second).at(0));
  };
  CHECK(chosen({"model_ema", "model"}) == std::pair(std::string("model"), 1.0f));
  CHECK(chosen({"state_dict", "model_ema"}) == std::pair(std::string("state_dict"), 0.0f));
  CHECK(chosen({"model_ema"}) == std::pair(std::string("model_ema"), 0.0f));
  CHECK(chosen({"ema", "net"}) == std::pair(std::string("net"), 1.0f));
  CHECK(chosen({"model", "net"}, "net") == std::pair(std::string("net"), 1.0f));
  CHECK(refuses(with({"model", "net"}), "the entries 'model' and 'net' hold the same network"));
  CHECK(refuses(with({"module", "state_dict"}), "'state_dict' and 'module'"));
  CHECK(refuses(with({"network", "model_state"}, "module."), "choose one with --state-dict"));
}
