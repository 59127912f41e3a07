// A file of a model's packed weights: the next load maps it and has nothing to pack. The file
// belongs to one model and one layout. A file that is damaged, or of another layout, is refused
// whole.
//
//   "CACHALOT-LAYOUT", 0; u64 checksum of the header after it; u64 bytes of that header
//   layout: string; u32 number of tensors; for each
//     name: string; u32 dtype; i64 rows, columns; u64 offset, bytes, checksum
//   the tensors' bytes, each from a multiple of 4096 on
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backend/tensor.h"
#include "base/mapped_file.h"

namespace cachalot {

/** One weight of a layout: the name and type of its source, and its bytes. */
struct LaidOutTensor {
  std::string name;
  DType dtype;
  int64_t n_rows, n_cols;
  std::span<const uint8_t> bytes;
};

class LayoutFile {
 public:
  /** Maps `path` and checks all of it, the bytes included. A file that somebody else can have
   * written is refused. Throws Error{model_not_found | io | file_*}. */
  LayoutFile(const std::string& path, const std::string& layout);

  /** The bytes that were made from `tensor`; empty if there are none. */
  std::span<const uint8_t> find(const std::string& name, const Tensor& tensor) const;

  /** Only we write the file, and only once; its times say when it was used. But a file that is cut
   * off while it is mapped ends the process. */
  bool is_resized() const { return file_.is_resized(); }
  const std::string& path() const { return file_.path(); }

 private:
  MappedFile file_;
  std::map<std::string, LaidOutTensor> tensors_;
};

/** Writes beside `path` and renames, so that no one ever sees half of it; for this user alone.
 * Throws Error{io}, or aborted once `stop` is set. */
void write_layout_file(const std::string& path, const std::string& layout,
                       const std::vector<LaidOutTensor>& tensors, const std::atomic<bool>& stop);

}  // namespace cachalot
