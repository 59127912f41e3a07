#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/mapped_file.h"

namespace cachalot {

namespace {

/** Closes the descriptor when the scope ends, unless somebody has taken it. */
struct Descriptor {
  int value;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

// Systems read at most 2 GiB at once.
constexpr size_t kReadBytes = size_t{1} << 30;

const timespec& written_at(const struct stat& status) {
#ifdef __APPLE__
  return status.st_mtimespec;
#else
  return status.st_mtim;
#endif
}

[[noreturn]] void refuse(ErrorCode code, const std::string& path, const std::string& why) {
  throw Error(code, "cannot open '" + path + "': " + why);
}

[[noreturn]] void fail(ErrorCode code, const std::string& path) {
  refuse(code, path, errno == ENXIO ? "it is a socket, not a file" : std::strerror(errno));
}

const char* kind_of(const struct stat& status) {
  if (S_ISDIR(status.st_mode)) return "it is a folder, not a file";
  return S_ISFIFO(status.st_mode) ? "it is a pipe, not a file" : "it is a device, not a file";
}

bool is_only_ours(const struct stat& status) {
  const bool is_owned = status.st_uid == ::geteuid() || status.st_uid == 0;
  return is_owned && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/** Without waiting for the other end of a pipe, which may never come. */
constexpr int kOpenFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;

int open_only_ours(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder_path = slash == path.npos ? "." : path.substr(0, slash + 1);
  const Descriptor folder{::open(folder_path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY)};
  if (folder.value < 0) return -1;
  struct stat status {};
  if (::fstat(folder.value, &status) != 0) return -1;
  if (!is_only_ours(status)) refuse(ErrorCode::kIo, path, "others can write to its folder");
  const std::string name = slash == path.npos ? path : path.substr(slash + 1);
  return ::openat(folder.value, name.c_str(), kOpenFlags | O_NOFOLLOW);
}

}  // namespace

MappedFile::MappedFile(const std::string& path, Writers writers) : path_(path) {
  const bool only_us = writers == Writers::kOnlyUs;
  const Descriptor file{only_us ? open_only_ours(path) : ::open(path.c_str(), kOpenFlags)};
  if (file.value < 0) fail(errno == ENOENT ? ErrorCode::kModelNotFound : ErrorCode::kIo, path);
  struct stat status {};
  if (::fstat(file.value, &status) != 0) fail(ErrorCode::kIo, path);
  if (!S_ISREG(status.st_mode)) refuse(ErrorCode::kIo, path, kind_of(status));
  if (only_us && !is_only_ours(status))
    refuse(ErrorCode::kIo, path, "it is another user's, or others can write to it");
  size_ = static_cast<size_t>(status.st_size);
  if (size_ == 0) throw Error(ErrorCode::kFileTruncated, "'" + path + "' is empty");
  written_seconds_ = written_at(status).tv_sec;
  written_nanoseconds_ = written_at(status).tv_nsec;
  Descriptor kept{::fcntl(file.value, F_DUPFD_CLOEXEC, 0)};  // to read from, and to ask
  if (kept.value < 0) fail(ErrorCode::kIo, path);
  void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.value, 0);
  if (address == MAP_FAILED) fail(errno == ENOMEM ? ErrorCode::kOutOfMemory : ErrorCode::kIo, path);
  data_ = static_cast<const uint8_t*>(address);
  file_ = std::exchange(kept.value, -1);
}

MappedFile::~MappedFile() {
  ::munmap(const_cast<uint8_t*>(data_), size_);
  ::close(file_);
}

void MappedFile::read(uint64_t offset, std::span<uint8_t> out) const {
  while (!out.empty()) {
    const ssize_t n =
        ::pread(file_, out.data(), std::min(out.size(), kReadBytes), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw Error(ErrorCode::kIo, "cannot read '" + path_ + "': " + std::strerror(errno));
    if (n == 0) {
      throw Error(ErrorCode::kFileTruncated,
                  "'" + path_ + "' was cut off at byte " + std::to_string(offset) +
                      " while it was read; it had " + std::to_string(size_) + " bytes");
    }
    out = out.subspan(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
}

// If the state of a file cannot be read any more (a share that is gone), it counts as changed.
bool MappedFile::is_resized() const {
  struct stat status {};
  return ::fstat(file_, &status) != 0 || static_cast<size_t>(status.st_size) != size_;
}

// Not the time of the last change of status: renaming and deleting change that, and do no harm.
bool MappedFile::is_modified() const {
  struct stat status {};
  return ::fstat(file_, &status) != 0 || static_cast<size_t>(status.st_size) != size_ ||
         written_at(status).tv_sec != written_seconds_ ||
         written_at(status).tv_nsec != written_nanoseconds_;
}

}  // namespace cachalot
