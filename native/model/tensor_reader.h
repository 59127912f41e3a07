// Brings the bytes of a model's files to the weights. Tensors that are packed or uploaded are read
// from the file into memory that the next tensor uses again. Tensors that weights read in place are
// read into memory for good if they are the floats of a small model; the others are read through
// the map. Their files are watched: a file that is written to or cut off gives wrong answers, or
// ends the process.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "base/memory_region.h"
#include "weights/stored_tensor.h"

namespace cachalot {

/** Files that must stay as they were when they were opened. */
class WatchedFiles {
 public:
  void add(std::shared_ptr<const MappedFile> file) { files_.insert(std::move(file)); }
  bool empty() const { return files_.empty(); }
  /** Throws model_changed with the path of a file that was written to or cut off. Takes less than a
   * microsecond per file. */
  void check() const;

 private:
  std::set<std::shared_ptr<const MappedFile>> files_;
};

class TensorReader {
 public:
  TensorReader(const TensorMap& tensors, const Backend& backend);

  /** The tensor for a weight of that use. Bytes that the weight reads in place stay as long as
   * `kept()` and `watched()`, other bytes until the next call. */
  Tensor read(const StoredTensor& stored, WeightUse use);

  std::map<std::string, MemoryRegion>& kept() { return kept_; }
  WatchedFiles& watched() { return watched_; }
  /** Throws model_changed if any file was changed since it was opened. */
  void check_all() const { all_.check(); }

 private:
  const Backend& backend_;
  uint64_t float_bytes_ = 0;
  MemoryRegion scratch_;
  std::map<std::string, MemoryRegion> kept_;  // floats, by the names of their tensors
  WatchedFiles watched_, all_;
};

}  // namespace cachalot
