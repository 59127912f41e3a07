// A file that is being written, for its owner alone. It is written beside its place, so that no one
// ever sees half of it, and deleted unless it is kept.
#pragma once

#include <cstdint>
#include <cstdio>
#include <span>
#include <string>

namespace cachalot {

class NewFile {
 public:
  /** Begins a file for `path`, in a folder that exists. Throws Error{io}, as all methods here. */
  explicit NewFile(const std::string& path);
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void write(std::span<const uint8_t> bytes);
  uint64_t size() const { return size_; }
  /** Writes the file to the disk and moves it to its place. */
  void keep();

 private:
  [[noreturn]] void fail(const std::string& why) const;

  std::string path_, beside_;
  std::FILE* file_;
  uint64_t size_ = 0;
  bool kept_ = false;
};

/** Makes a folder, and those above it that are missing, for its owner alone. Closes it to others if
 * it exists and is ours. If it cannot be made, writing into it fails later. */
void make_private_folder(const std::string& path);

}  // namespace cachalot
