#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/mapped_file.h"

namespace cachalot {

namespace {

/** Closes the descriptor when the scope ends; the map outlives it. */
struct Descriptor {
  int value;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

[[noreturn]] void fail(ErrorCode code, const std::string& path) {
  throw Error(code, "cannot open '" + path + "': " + std::strerror(errno));
}

}  // namespace

MappedFile::MappedFile(const std::string& path) : path_(path) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.value < 0) fail(errno == ENOENT ? ErrorCode::kModelNotFound : ErrorCode::kIo, path);
  struct stat status {};
  if (::fstat(file.value, &status) != 0) fail(ErrorCode::kIo, path);
  if (!S_ISREG(status.st_mode)) {
    throw Error(ErrorCode::kIo, "cannot open '" + path + "': it is not a regular file");
  }
  size_ = static_cast<size_t>(status.st_size);
  if (size_ == 0) throw Error(ErrorCode::kFileTruncated, "'" + path + "' is empty");
  void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.value, 0);
  if (address == MAP_FAILED) fail(ErrorCode::kIo, path);
  data_ = static_cast<const uint8_t*>(address);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<uint8_t*>(data_), size_);
}

void MappedFile::drop_pages(const uint8_t* begin, size_t size) const {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto first = (reinterpret_cast<uintptr_t>(begin) + page - 1) / page * page;
  const auto last = (reinterpret_cast<uintptr_t>(begin) + size) / page * page;
  if (last > first) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

}  // namespace cachalot
