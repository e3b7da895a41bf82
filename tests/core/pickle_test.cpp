// The pickle machine: data of every protocol, damaged streams, globals that could run code.
#include "core/io/pickle.h"

#include <limits>

#include "core/error.h"
#include "tests/core/torch_bytes.h"
#include "tests/support/support.h"

using namespace shiftadd;
using Kind = PickleValue::Kind;
using test::PickleBytes;

namespace {

Pickle parse(std::string_view bytes) {
  return Pickle::parse(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), "x.pkl");
}
std::string_view view(const char* bytes, std::size_t size) { return {bytes, size}; }

std::string refusal(std::string_view bytes) {
  try {
    parse(bytes);
    return "";
  } catch (const Error& error) {
    CHECK(error.exit_code() == 2);
    return error.what();
  }
}

}  // namespace

TEST_CASE("numbers and texts of every opcode") {
  CHECK(parse("K\x07.").root().integer == 7);
  CHECK(parse(view("M\x01\x02.", 4)).root().integer == 0x201);
  CHECK(parse("J\xff\xff\xff\xff.").root().integer == -1);
  CHECK(parse("I-12\n.").root().integer == -12);
  CHECK(parse("L-12L\n.").root().integer == -12);
  CHECK(parse("I01\n.").root().is(Kind::kBool));
  CHECK(parse(view("\x8a\x00.", 3)).root().integer == 0);
  CHECK(parse(view("\x8a\x02\x00\xff.", 5)).root().integer == -256);
  CHECK(parse(view("\x8b\x01\x00\x00\x00\x80.", 7)).root().integer == -128);
  const Pickle big = parse(view("\x8a\x09\0\0\0\0\0\0\0\0\x40.", 12));  // 2**70
  CHECK(big.root().is(Kind::kLong));
  CHECK(big.root().text.size() == 9);
  CHECK(parse(view("G\x3f\xf8\0\0\0\0\0\0.", 10)).root().real == 1.5);
  CHECK(parse("F1.5\n.").root().real == 1.5);
  CHECK(parse("\x88.").root().integer == 1);
  CHECK(parse("\x89.").root().is(Kind::kBool));
  CHECK(parse("N.").root().is(Kind::kNone));
  CHECK(parse("S'a\\x41\\n'\n.").root().text == "aA\n");
  CHECK(parse("Va\\u00e9\xe9\n.").root().text == "a\xc3\xa9\xc3\xa9");
  CHECK(parse(view("T\x02\0\0\0ab.", 8)).root().text == "ab");
  CHECK(parse("U\x02"
              "ab.")
            .root()
            .text == "ab");
  CHECK(parse("\x8c\x02"
              "ab.")
            .root()
            .text == "ab");
  CHECK(parse(view("\x8d\x02\0\0\0\0\0\0\0ab.", 12)).root().text == "ab");
  CHECK(parse("C\x02"
              "ab.")
            .root()
            .is(Kind::kBytes));
  CHECK(parse(view("\x96\x02\0\0\0\0\0\0\0ab.", 12)).root().is(Kind::kBytes));
}

TEST_CASE("containers, the memo and the stack") {
  CHECK(parse("(K\x01K\x02t.").root().items.size() == 2);
  CHECK(parse("K\x01K\x02\x86.").root().items[1]->integer == 2);
  CHECK(parse("](K\x01K\x02"
              "e.")
            .root()
            .items.size() == 2);
  CHECK(parse("]K\x01"
              "a.")
            .root()
            .items.size() == 1);
  CHECK(parse("\x8f(K\x01K\x02\x90.").root().is(Kind::kSet));
  CHECK(parse("(K\x01\x91.").root().is(Kind::kSet));
  const Pickle dict = parse(
      "}(U\x01"
      "aK\x01U\x01"
      "bK\x02U\x01"
      "aK\x03u.");
  CHECK(dict.root().find("a")->integer == 3);
  CHECK(dict.root().find("c") == nullptr);
  CHECK(parse("K\x05q\x01"
              "0h\x01.")
            .root()
            .integer == 5);
  CHECK(parse(view("\x80\x04K\x05\x94"
                   "0h\x00.",
                   9))
            .root()
            .integer == 5);
  CHECK(parse("K\x01(K\x02K\x03"
              "1.")
            .root()
            .integer == 1);
  CHECK(parse("K\x01(0.").root().integer == 1);
  const Pickle cycle = parse(
      "]q\x01h\x01"
      "a.");
  CHECK(cycle.root().items[0] == &cycle.root());
  CHECK(parse("K\x01.rest").consumed() == 3);
}

TEST_CASE("calls give data where they are data and inert objects elsewhere") {
  const Pickle ordered = parse(
      "ccollections\nOrderedDict\n(]((U\x01"
      "aK\x01letR.");
  CHECK(ordered.root().find("a") != nullptr);
  CHECK(parse("c__builtin__\nset\n(](K\x01K\x02"
              "etR.")
            .root()
            .items.size() == 2);
  CHECK(parse("c_codecs\nencode\n(U\x02"
              "abU\x06latin1tR.")
            .root()
            .is(Kind::kBytes));
  for (const std::string& text :
       {std::string("cargparse\nNamespace\n)\x81}(U\x02lrK\x01ub."),
        std::string("(iargparse\nNamespace\n."), std::string("(cargparse\nNamespace\no."),
        std::string("cargparse\nNamespace\n)}\x92."),
        std::string("\x8c\x08"
                    "argparse\x8c\x09Namespace\x93)R.")}) {
    const Pickle pickle = parse(text);
    CHECK(pickle.root().is(Kind::kObject));
    CHECK(pickle.globals() == std::set<std::string>{"argparse.Namespace"});
  }
}

TEST_CASE("globals that could run code are refused by name") {
  const std::pair<const char*, const char*> dangerous[] = {
      {"os", "system"},
      {"posix", "system"},
      {"nt", "system"},
      {"subprocess", "Popen"},
      {"builtins", "eval"},
      {"builtins", "exec"},
      {"__builtin__", "eval"},
      {"builtins", "getattr"},
      {"builtins", "__import__"},
      {"builtins", "open"},
      {"sys", "exit"},
      {"runpy", "run_path"},
      {"importlib", "import_module"},
      {"os.path", "join"},
      {"shutil", "rmtree"},
      {"socket", "socket"},
      {"torch.hub", "load"},
      {"torch", "load"},
      {"pickle", "loads"},
      {"ctypes", "CDLL"},
      {"operator", "attrgetter"},
      {"webbrowser", "open"},
      {"pty", "spawn"},
      {"numpy.testing._private.utils", "runstring"}};
  for (const auto& [module, name] : dangerous) {
    const std::string full = concat(module, ".", name);
    const std::string call = "(U\x06touch xtR.";
    CHECK_MESSAGE(
        refusal(concat("c", module, "\n", name, "\n", call)).find(full) != std::string::npos, full);
    CHECK_MESSAGE(
        refusal(concat("(U\x01xi", module, "\n", name, "\n.")).find(full) != std::string::npos,
        full);
    const std::string stacked =
        concat("\x8c", static_cast<char>(std::string(module).size()), module, "\x8c",
               static_cast<char>(std::string(name).size()), name, "\x93.");
    CHECK_MESSAGE(refusal(stacked).find(full) != std::string::npos, full);
  }
  CHECK(is_dangerous_global("harmless", "os.system"));
  CHECK(is_dangerous_global("harmless", "Thing.__globals__"));
  for (const char* module :
       {"argparse", "pathlib", "numpy.core.multiarray", "collections", "omegaconf.dictconfig"})
    CHECK_FALSE(is_dangerous_global(module, "Thing"));
  CHECK_FALSE(is_dangerous_global("builtins", "set"));
  CHECK_FALSE(is_dangerous_global("functools", "partial"));
}

TEST_CASE("classes and functions that run nothing are placeholders, whatever is done with them") {
  const auto text = [](const std::string& value) {
    return concat("\x8c", static_cast<char>(value.size()), value);
  };
  const auto global = [&](const char* module, const char* name) {
    return concat("c", module, "\n", name, "\n");
  };
  const std::string partial = global("functools", "partial");
  const std::string norm = global("torch.nn.modules.normalization", "LayerNorm");
  const std::string member = global("timm.data", "Mode") + text("TRAIN") + "\x86R";
  const std::string objects[] = {
      partial + norm + "\x85R(" + norm + ")}" + text("eps") + "G" +
          std::string("\x3e\xb0\xc6\xf7\xa0\xb5\xed\x8d", 8) + "sNtb",  // reduce, then state
      partial + norm + "\x85}\x92",                                         // NEWOBJ_EX
      partial + norm + "\x85\x81",
      global("builtins", "getattr") + member,
      global("__builtin__", "getattr") + global("types", "SimpleNamespace") + ")R" +
          text("forward") + "\x86R",
      global("operator", "itemgetter") + "K\x01\x85R",
      global("_io", "BytesIO") + ")\x81(C\x02" + "abK\x01Ntb",
      global("inspect", "_empty"),
      global("torch._C._nn", "gelu"),
      global("__main__", "<lambda>"),
      text("train") + text("main.<locals>.<lambda>") + "\x93",
      global("omegaconf.dictconfig", "DictConfig") + ")\x81}" + text("_content") + "}sb",
      global("collections", "Counter") + "}" + text("a") + "K\x01s\x85R",
      global("collections", "deque") + ")K\x05\x86RK\x01" + "a",
      global("easydict", "EasyDict") + ")\x81" + text("lr") + "K\x01s}b",
      global("numpy.core.multiarray", "scalar") + global("numpy", "dtype") + text("f8") +
          "\x89\x88\x87R" + "C\x08" + std::string(8, '\1') + "\x86R",
      global("collections", "OrderedDict") + global("a", "Odd") + ")R\x85R",  // built from no data
      global("builtins", "frozenset") + global("a", "Odd") + ")R\x85R",
      std::string("\x82\x01)R"),
      std::string("\x83\x01\x02)\x81", 5),
      std::string("\x84\x01\0\0\0}b", 7),
  };
  for (const std::string& object : objects) {
    // {"args": object, "w": 7}
    const std::string stream = "\x80\x04}" + text("args") + object + "s" + text("w") + "K\x07s.";
    INFO(stream);
    REQUIRE(refusal(stream) == "");
    CHECK(parse(stream).root().find("w")->integer == 7);
  }
}

TEST_CASE("what leads out of a class is refused, however it is reached") {
  const std::string getattr = "cbuiltins\ngetattr\n";
  for (const std::string& stream :
       {getattr + "ca\nB\n\x8c\x0b__globals__\x86R.", getattr + "ca\nB\n\x8c\x02os\x86R.",
        getattr + "ca\nB\n\x8c\x04" + "eval\x86R.", getattr + "\x8c\x01x\x8c\x01y\x86R.",
        getattr + "ca\nB\nK\x01\x86R.", getattr + "ca\nB\n\x85R.", getattr + ".",
        "cfunctools\npartial\n" + getattr + "\x85R.",
        std::string("cfunctools\npartial\ncos\nsystem\n\x85R."),
        std::string("c_io\nopen\n."), std::string("cio\nFileIO\n."),
        std::string("coperator\nmethodcaller\n."), std::string("ctorch._C\n_nn.x\n.")})
    CHECK_MESSAGE(refusal(stream).find("could run code") != std::string::npos, stream);
}

TEST_CASE("damaged streams are refused") {
  for (const char* text : {"",
                           ".",
                           "K",
                           "a.",
                           "]a.",
                           "t.",
                           "h\x01.",
                           "0.",
                           "K\x01"
                           "0.",
                           "s.",
                           "}K\x01s.",
                           "}(K\x01u.",
                           "U\x05"
                           "ab.",
                           "X\xff\xff\xff\xff.",
                           "I1x\n.",
                           "Inothing\n.",
                           "I99999999999999999999\n.",
                           "S'abc\n.",
                           "\x97.",
                           "\x82",
                           "\x83\x01",
                           "R.",
                           "K\x01K\x02R.",
                           "\x80\x09.",
                           "\xee.",
                           "c\n",
                           "Np-1\ng0\n.",
                           "K\x01(.",
                           "K\x01U\x01x\x93."}) {
    CHECK_MESSAGE(refusal(text) != "", text);
  }
  CHECK(refusal(std::string(3'000'000, ']')).find("values") != std::string::npos);
  // A memo entry copied again and again must not grow without end.
  std::string bomb = "](" + std::string(2000, 'N') + "e" + std::string("q\0", 2);
  for (int i = 0; i < 2000; ++i) bomb += std::string("c__builtin__\nset\nh\0\x85R0", 22);
  CHECK(refusal(bomb + ".").find("copies more data") != std::string::npos);
}
