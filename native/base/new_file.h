// A file that is being written, for its owner alone: beside its place, so that nobody ever sees
// half of it, and deleted unless it is kept.
#pragma once

#include <cstdint>
#include <cstdio>
#include <span>
#include <string>

namespace cachalot {

class NewFile {
 public:
  /** For `path`, in a folder that is there. Throws Error{io}, as all of these. */
  explicit NewFile(const std::string& path);
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void write(std::span<const uint8_t> bytes);
  uint64_t size() const { return size_; }
  /** Puts it onto the disk and in its place. */
  void keep();

 private:
  [[noreturn]] void fail(const std::string& why) const;

  std::string path_, beside_;
  std::FILE* file_;
  uint64_t size_ = 0;
  bool kept_ = false;
};

/** Makes a folder, and those above it that are missing, for its owner alone; closes it to others if
 * it is there and ours. One that cannot be made is missed by who writes into it. */
void make_private_folder(const std::string& path);

}  // namespace cachalot
