// A checkpoint in several files: an index in JSON says which tensor lies in which of them.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "core/io/weights_file.h"

namespace shiftadd {

/// Whether a file's text is such an index: {"weight_map": {"cls_token":
/// "model-00001-of-00002..."}}.
bool looks_like_shard_index(std::string_view text);

/// All tensors of the files that the index at `path` names, each read by `read`. They lie beside
/// it or in folders below. Throws Error (user) "PATH:LINE: weight_map.NAME: ...": a file that is
/// missing, or whose name leads out of the folder; a tensor that the file lacks, or that lies in
/// another one, too; and naming the file for a tensor that the index does not list.
WeightsFile read_shards(const std::string& path, std::string_view text,
                        const std::function<WeightsFile(const std::string& file)>& read);

}  // namespace shiftadd
