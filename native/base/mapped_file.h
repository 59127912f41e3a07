// A read-only memory map of a whole file, released with the object. If somebody shortens the file,
// touching the map beyond the new end ends the process. So copies are read from the file itself,
// and code that keeps reading the map checks first whether the file is still the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace cachalot {

/** The users who may have written a file, and may write to it. */
enum class Writers { kAnyone, kOnlyUs };

class MappedFile {
 public:
  /** Maps `path`. Throws Error{model_not_found | io}; io also for a pipe or a device, and, with
   * kOnlyUs, for a file that others than this user and root can have put there: if the file or its
   * folder belongs to another user or can be written by others, or if the file is a link. (On
   * Windows the user's own folders are closed to others.) */
  explicit MappedFile(const std::string& path, Writers writers = Writers::kAnyone);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const uint8_t> bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }

  /** Copies bytes of the file, not through the map. Throws Error{file_truncated} if the file has
   * become too short, or io. */
  void read(uint64_t offset, std::span<uint8_t> out) const;
  /** Whether the file has another size than when it was opened: its map may end the process. */
  bool is_resized() const;
  /** Whether the file has another size or was written to since it was opened. A file that was
   * renamed, deleted or replaced by another is still what it was, and so is its map. */
  bool is_modified() const;

 private:
  std::string path_;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
#ifdef _WIN32
  void* file_ = nullptr;
#else
  int file_ = -1;
  int64_t written_seconds_ = 0, written_nanoseconds_ = 0;  // when the content changed last
#endif
};

/** Reads a whole file of at most `max` bytes. Throws as MappedFile does, and file_bad_metadata for
 * a larger one. */
std::vector<uint8_t> read_whole_file(const std::string& path, uint64_t max);

}  // namespace cachalot
