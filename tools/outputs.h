// What a program reads and writes, by option: no output destroys an input or another output, and
// what cannot be written is known before the work begins.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"

namespace shiftadd::tools {

class Outputs {
 public:
  explicit Outputs(std::string program) : program_(std::move(program)) {}
  /// `path`, given by `option`, is read: a file, or a folder with all that is in it. Nothing where
  /// it is empty or does not exist.
  void input(const std::string& option, const std::string& path);
  /// Standard input is read.
  void standard_input();
  /// `path` will be written, a file; "": it will not.
  void file(const std::string& option, const std::string& path);
  /// `path` is a folder, made where it is missing, in which files will be written whose names
  /// `writes` accepts.
  void folder(const std::string& option, const std::string& path,
              std::function<bool(const std::string& name)> writes);

  /// To be called before any work, and again after further inputs became known. Throws Error (user)
  /// for an output that is an input or another output, by whatever path, link or hard link; that
  /// lies in a folder that is read, in place of an image; that is a folder, or cannot be written by
  /// its permissions. Throws Error (failure) where its disk takes nothing. Makes nothing.
  void check() const;

  /// Makes the folder of `path` and calls body(), which writes the file. An Error is printed at
  /// once and kept in status(), so that the other outputs are written all the same. Results are to
  /// be printed before: a write that fails must not lose them.
  template <class Body>
  void write(const std::string& path, Body&& body) {
    try {
      make_folder_of(path);
      body();
    } catch (const Error& error) {
      report(error);
    }
  }
  /// What to exit with after all writes: 0, or that of the first error.
  int status() const { return status_; }

 private:
  struct Identity {
    dev_t device;
    ino_t number;
    bool operator==(const Identity&) const = default;
  };
  struct Input {
    std::string option, path;
    std::optional<Identity> identity;  // none: a file that is made
    bool folder;
  };
  struct Output {
    std::string option, path;
    std::filesystem::path target;  // links followed, as far as they exist; no dots
    std::optional<Identity> identity;
    bool stream = false;                             // a device
    std::function<bool(const std::string&)> writes;  // folders
  };
  static void make_folder_of(const std::string& path);
  static std::optional<Identity> identity_of(const std::filesystem::path& path);
  void report(const Error& error);
  void add(const std::string& option, const std::string& path,
           std::function<bool(const std::string&)> writes);
  void require_distinct(const Output& output, const Input& input) const;
  void require_distinct(const Output& a, const Output& b) const;
  static void require_outside(const Output& folder, const Input& input);
  static void require_no_image(const Output& file, const Input& folder);
  static void require_kept(const Output& folder, const Input& input);
  static void require_writable(const Output& output);

  std::vector<Input> inputs_;
  std::vector<Output> outputs_;
  std::string program_;
  int status_ = 0;
};

}  // namespace shiftadd::tools
