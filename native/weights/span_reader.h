// Reads little-endian values from bytes and cannot read past their end: what a parser of hostile
// files stands on.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "base/error.h"

namespace cachalot {

class SpanReader {
 public:
  explicit SpanReader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  uint64_t position() const { return position_; }
  uint64_t remaining() const { return bytes_.size() - position_; }

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
    need(sizeof(T), what);
    T value;
    std::memcpy(&value, bytes_.data() + position_, sizeof value);
    position_ += sizeof value;
    return value;
  }

  std::span<const uint8_t> read_bytes(uint64_t n, const std::string& what) {
    need(n, what);
    const auto result = bytes_.subspan(position_, n);
    position_ += n;
    return result;
  }

  /** A string with a 64-bit length before it, copied. One of more than `max` bytes gives the first
   * max + 1 of them: sparse files cost nothing, what is copied from them does. */
  std::string read_string(uint64_t max, const std::string& what) {
    const auto length = read<uint64_t>(what);
    const auto text = read_bytes(length, what).first(std::min(length, max + 1));
    return {reinterpret_cast<const char*>(text.data()), text.size()};
  }

 private:
  std::span<const uint8_t> bytes_;
  uint64_t position_ = 0;
};

}  // namespace cachalot
