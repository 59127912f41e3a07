// Reads little-endian values one after the other, from bytes in memory or from a file, and cannot
// read past their end: parsers of hostile files rely on it. Of a file it holds a small window,
// which it reads from the file, never through the map: if the file is shortened, that is an error.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/mapped_file.h"

namespace cachalot {

class ByteReader {
 public:
  explicit ByteReader(std::span<const uint8_t> bytes) : size_(bytes.size()), window_(bytes) {}
  /** `file` must outlive the reader. */
  explicit ByteReader(const MappedFile& file) : size_(file.bytes().size()), file_(&file) {}

  uint64_t position() const { return position_; }
  uint64_t remaining() const { return size_ - position_; }

  /** Throws file_truncated unless `n` more bytes are there. `what` names the thing for the message.
   */
  void need(uint64_t n, const std::string& what) const {
    if (n > remaining()) {
      throw Error(ErrorCode::kFileTruncated, what + " needs " + std::to_string(n) +
                                                 " bytes at offset " + std::to_string(position_) +
                                                 ", but only " + std::to_string(remaining()) +
                                                 " are left in the file");
    }
  }

  template <typename T>
  T read(const std::string& what) {
    T value;
    read_into({reinterpret_cast<uint8_t*>(&value), sizeof value}, what);
    return value;
  }

  void skip(uint64_t n, const std::string& what) {
    need(n, what);
    position_ += n;
  }

  /** A string with a 64-bit length before it. A string of more than `max` bytes gives the
   * first max + 1 of them: sparse files cost nothing, but copies from them do. */
  std::string read_string(uint64_t max, const std::string& what) {
    const auto length = read<uint64_t>(what);
    need(length, what);
    std::string text(std::min(length, max + 1), '\0');
    read_into({reinterpret_cast<uint8_t*>(text.data()), text.size()}, what);
    position_ += length - text.size();
    return text;
  }

  void read_into(std::span<uint8_t> out, const std::string& what) {
    need(out.size(), what);
    while (!out.empty()) {
      if (position_ < window_at_ || position_ >= window_at_ + window_.size()) move_window();
      const size_t at = position_ - window_at_, n = std::min(out.size(), window_.size() - at);
      std::memcpy(out.data(), window_.data() + at, n);
      position_ += n;
      out = out.subspan(n);
    }
  }

 private:
  static constexpr uint64_t kWindowBytes = 1 << 18;  // so many make a system call cheap

  /** Moves the window to the position, where there must be a byte. Memory is one window. */
  void move_window() {
    buffer_.resize(std::min(kWindowBytes, remaining()));
    file_->read(position_, buffer_);
    window_ = buffer_;
    window_at_ = position_;
  }

  uint64_t size_, position_ = 0;
  const MappedFile* file_ = nullptr;
  std::vector<uint8_t> buffer_;
  std::span<const uint8_t> window_;
  uint64_t window_at_ = 0;
};

}  // namespace cachalot
