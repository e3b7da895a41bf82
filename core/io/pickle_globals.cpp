// Lists the globals that a pickle may not even name.
#include <algorithm>
#include <string_view>

#include "core/io/pickle.h"

namespace shiftadd {
namespace {

// Modules that nothing in a checkpoint needs and whose functions reach the machine or build code.
constexpr std::string_view kModules[] = {"_pickle",
                                         "_posixsubprocess",
                                         "_thread",
                                         "aiohttp",
                                         "asyncio",
                                         "bdb",
                                         "cPickle",
                                         "cProfile",
                                         "cloudpickle",
                                         "code",
                                         "codeop",
                                         "commands",
                                         "ctypes",
                                         "dill",
                                         "distutils",
                                         "ensurepip",
                                         "fcntl",
                                         "ftplib",
                                         "gc",
                                         "http",
                                         "httplib",
                                         "imp",
                                         "importlib",
                                         "joblib",
                                         "linecache",
                                         "marshal",
                                         "mmap",
                                         "multiprocessing",
                                         "nt",
                                         "ntpath",
                                         "os",
                                         "pdb",
                                         "pickle",
                                         "pip",
                                         "pkgutil",
                                         "popen2",
                                         "posix",
                                         "posixpath",
                                         "pty",
                                         "requests",
                                         "runpy",
                                         "setuptools",
                                         "shelve",
                                         "shutil",
                                         "signal",
                                         "smtplib",
                                         "socket",
                                         "socketserver",
                                         "ssl",
                                         "subprocess",
                                         "sys",
                                         "tempfile",
                                         "telnetlib",
                                         "threading",
                                         "timeit",
                                         "urllib",
                                         "urllib2",
                                         "venv",
                                         "webbrowser",
                                         "winreg",
                                         "zipimport"};

constexpr std::string_view kBuiltins[] = {"__import__", "__build_class__",
                                          "apply",      "breakpoint",
                                          "compile",    "delattr",
                                          "eval",       "exec",
                                          "execfile",   "file",
                                          "getattr",    "globals",
                                          "help",       "input",
                                          "locals",     "open",
                                          "raw_input",  "reload",
                                          "setattr",    "vars"};

// Single functions, and parts of packages with everything below them.
constexpr std::string_view kNames[] = {"_codecs.lookup",
                                       "_io.FileIO",
                                       "_io.open",
                                       "_io.open_code",
                                       "_operator.attrgetter",
                                       "_operator.call",
                                       "_operator.methodcaller",
                                       "codecs.open",
                                       "doctest.debug_script",
                                       "functools.reduce",
                                       "io.FileIO",
                                       "io.open",
                                       "io.open_code",
                                       "logging.config",
                                       "numpy.distutils",
                                       "numpy.f2py",
                                       "numpy.fromfile",
                                       "numpy.load",
                                       "numpy.loadtxt",
                                       "numpy.memmap",
                                       "numpy.save",
                                       "numpy.testing",
                                       "operator.attrgetter",
                                       "operator.call",
                                       "operator.methodcaller",
                                       "pandas.eval",
                                       "pandas.read_pickle",
                                       "torch._C",
                                       "torch._dynamo",
                                       "torch._inductor",
                                       "torch.classes",
                                       "torch.distributed.rpc",
                                       "torch.fx",
                                       "torch.hub",
                                       "torch.jit",
                                       "torch.load",
                                       "torch.multiprocessing",
                                       "torch.ops",
                                       "torch.package",
                                       "torch.save",
                                       "torch.serialization.load",
                                       "torch.storage._load_from_bytes",
                                       "torch.utils.cpp_extension",
                                       "torch.utils.data.datapipes",
                                       "types.CodeType",
                                       "types.FunctionType",
                                       "unittest.mock"};

// What checkpoints do hold of such packages: activations by name.
constexpr std::string_view kHarmless[] = {"torch._C._nn"};

template <std::size_t kCount>
bool contains(const std::string_view (&list)[kCount], std::string_view text) {
  return std::find(std::begin(list), std::end(list), text) != std::end(list);
}

}  // namespace

bool is_dangerous_global(const std::string& module, const std::string& name) {
  const std::string_view top = std::string_view(module).substr(0, module.find('.'));
  if (contains(kModules, top)) return true;
  if (contains(kHarmless, module) && name.find('.') == std::string::npos) return false;
  const std::string full = module + "." + name;
  for (std::string_view known : kNames)
    if (full.starts_with(known) && (full.size() == known.size() || full[known.size()] == '.'))
      return true;
  const bool is_builtin = top == "builtins" || top == "__builtin__" || top == "__builtins__";
  // Protocol 4 may reach through attributes (module "x", name "os.system"): then every step counts.
  const bool is_dotted = name.find('.') != std::string::npos;
  for (std::string_view rest = name; is_builtin || is_dotted;) {
    const std::size_t dot = rest.find('.');
    const std::string_view step = rest.substr(0, dot);
    if (contains(kBuiltins, step) || step.starts_with("__")) return true;
    if (dot == std::string_view::npos) break;
    if (contains(kModules, step)) return true;
    rest.remove_prefix(dot + 1);
  }
  return false;
}

}  // namespace shiftadd
