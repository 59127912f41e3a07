// The safetensors container: a JSON header that names dtype, shape and byte range of every tensor,
// then the bytes. One file, or shards listed in a "model.safetensors.index.json". The header is
// hostile: sizes are checked against shapes, and the ranges must cover the data exactly, without
// overlap or hole.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "weights/stored_tensor.h"

namespace cachalot {

/** Checks a whole file in memory; its tensors, under their own names, point into `bytes`. Throws
 * Error with a file_* code, or unsupported_type. */
std::vector<StoredTensor> parse_safetensors(std::span<const uint8_t> bytes);

/** Maps and checks one file. */
std::vector<StoredTensor> read_safetensors(const std::string& path);

/** Which shard holds each tensor. Throws file_bad_metadata, also when a shard's name leads out of
 * the folder. */
std::map<std::string, std::string> parse_shard_index(std::span<const uint8_t> text);

/** All tensors of a model in the folder: of its index's shards, or else of model.safetensors. */
std::vector<StoredTensor> read_safetensors_folder(const std::string& folder);

}  // namespace cachalot
