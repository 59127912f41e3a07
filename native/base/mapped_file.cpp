// The parts that are the same on every system.

#include "base/mapped_file.h"

#include "base/error.h"

namespace cachalot {

std::vector<uint8_t> read_whole_file(const std::string& path, uint64_t max) {
  const MappedFile file(path);
  if (file.bytes().size() > max) {
    throw Error(ErrorCode::kFileBadMetadata,
                "'" + path + "' has " + std::to_string(file.bytes().size()) + " bytes; at most " +
                    std::to_string(max) + " are allowed");
  }
  std::vector<uint8_t> bytes(file.bytes().size());
  file.read(0, bytes);
  return bytes;
}

}  // namespace cachalot
