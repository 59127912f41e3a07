// Models that llama.cpp's gguf-split has cut into files NAME-00001-of-0000N.gguf. Each file is a
// GGUF of its own that says which part it is (split.no, from 0), of how many (split.count), and how
// many tensors all parts have together (split.tensors.count); the first has the metadata of the
// model.
#pragma once

#include <string>

#include "weights/gguf.h"

namespace cachalot {

/** Reads a model of one file, or of all the parts of which `path` is the first: the metadata of the
 * first, and the tensors of all. Throws the errors of reading a file; invalid_argument for a part
 * that is not the first; model_not_found, file_bad_metadata or file_duplicate_tensor with the path
 * of a part that is missing or does not belong to this model. */
GgufFile read_gguf(const std::string& path, const WantedMetadata& wanted = {});

}  // namespace cachalot
