// A program under way: its output is read while it works, and it is sent signals and keys.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace shiftadd::test {

class Child {
 public:
  struct Terminal {
    int rows = 24, columns = 80;
  };
  /// With pipes: output and errors are one stream, standard input is empty.
  Child(const std::vector<std::string>& command, const std::string& folder);
  /// On a terminal of its own, from a shell's environment that says nothing of its width.
  Child(const std::vector<std::string>& command, const std::string& folder, Terminal terminal);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Reads until the output contains `text`, or ends; whether it does.
  bool read_until(const std::string& text);
  /// Reads what there is, or waits for it; false at the end.
  bool read_more();
  void send(int signal) const;
  void type(const std::string& keys) const;  // a terminal's
  /// Everything drawn for the old size has been read when this returns, but for one drawing under
  /// way.
  void resize(Terminal terminal);
  /// Reads to the end. The exit status, or 128 + signal.
  int wait();
  const std::string& output() const { return output_; }

 private:
  [[noreturn]] static void start(const std::vector<std::string>& command,
                                 const std::string& folder);
  pid_t pid_ = -1;
  int from_ = -1;
  std::string output_;
};

}  // namespace shiftadd::test
