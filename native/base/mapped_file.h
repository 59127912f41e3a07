// A read-only memory map of a whole file, released with the object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace cachalot {

/** Who may have written a file, and may write to it. */
enum class Writers { kAnyone, kOnlyUs };

class MappedFile {
 public:
  /** Maps `path`. Throws Error{model_not_found | io}; io also for a pipe or a device, and, with
   * kOnlyUs, for a file that somebody else than this user and root can have put there: where file
   * or folder are another's, or can be written by others, or the file is a link. (On Windows the
   * user's own folders are closed to others.) */
  explicit MappedFile(const std::string& path, Writers writers = Writers::kAnyone);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const uint8_t> bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }

  /** Tells the system that these bytes are not needed soon: their pages leave our resident set. */
  void drop_pages(const uint8_t* begin, size_t size) const;

 private:
  std::string path_;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace cachalot
