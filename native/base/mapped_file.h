// A read-only memory map of a whole file, released with the object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace cachalot {

class MappedFile {
 public:
  /** Maps `path`. Throws Error{model_not_found | io}. */
  explicit MappedFile(const std::string& path);
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
