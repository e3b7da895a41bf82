// PyTorch checkpoints (.pth, .pt): the zip format and the stream format older than 1.6.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/tensor.h"

namespace shiftadd {

/// The state dict of a checkpoint, and what is worth knowing about the rest.
struct TorchFile {
  /// In file order; nested dicts and lists are joined by dots. Dense views of the file where that
  /// is possible, copies otherwise; int16 is widened to int32, bool becomes u8.
  NamedTensors tensors;
  /// Those of types that are not read (complex, float8, quantised, sparse ...): name, why.
  std::map<std::string, std::string> unread;
  std::string wrapper;  // the key it was under: "model", "state_dict", "a.b"; or empty
  std::vector<std::string>
      outside;  // tensors beside the state dict (not read): "optimizer.state.0.exp_avg"
  std::vector<std::string> placeholders;  // globals that are not data: argparse.Namespace
  std::vector<std::string> classes;       // the checkpoint's own "classes" list, if it has one
};

/// True when the bytes start as a zip archive or as a pickle does.
bool looks_like_torch(const uint8_t* bytes, std::size_t size);

/// Maps the file; see parse_torch.
TorchFile read_torch(const std::string& path, const std::string& state_dict = "");

/// `state_dict` is the key (dotted for nested ones) of the dict to read; empty: the one of "model",
/// "state_dict" and their like that holds tensors, else the root; of two that hold the same names,
/// the one that is no moving average. Runs no code. Throws Error (user) naming the file and the
/// tensor for damaged or hostile files, for two such dicts of which none is plainly the one, and
/// where no tensor is plain dense data. The bytes must outlive the tensors unless `owner` keeps
/// them. `check_crc`: the entries of a zip archive are held against their CRC-32 (the stream has no
/// sums).
TorchFile parse_torch(const uint8_t* bytes, std::size_t size, const std::string& file,
                      const std::string& state_dict = "",
                      std::shared_ptr<const void> owner = nullptr, bool check_crc = true);

}  // namespace shiftadd
