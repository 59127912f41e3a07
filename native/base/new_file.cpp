#include "base/new_file.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <random>

#include "base/error.h"

#ifdef _WIN32
#include <fcntl.h>
#include <io.h>
#include <sys/stat.h>
#else
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace cachalot {

namespace {

#ifdef _WIN32

std::FILE* create_private(const std::string& path) {
  const int file =
      ::_open(path.c_str(), _O_CREAT | _O_EXCL | _O_WRONLY | _O_BINARY, _S_IREAD | _S_IWRITE);
  return file < 0 ? nullptr : ::_fdopen(file, "wb");
}

bool sync(std::FILE* file) { return ::_commit(::_fileno(file)) == 0; }

#else

std::FILE* create_private(const std::string& path) {
  const int file = ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (file < 0) return nullptr;
  if (std::FILE* stream = ::fdopen(file, "wb")) return stream;
  ::close(file);
  ::unlink(path.c_str());
  errno = ENOMEM;
  return nullptr;
}

bool sync(std::FILE* file) { return ::fsync(::fileno(file)) == 0; }

#endif

std::string random_suffix() {
  std::random_device random;
  std::string suffix = ".";
  suffix += std::to_string(random());
  suffix += std::to_string(random());
  return suffix + ".tmp";
}

}  // namespace

NewFile::NewFile(const std::string& path)
    : path_(path), beside_(path + random_suffix()), file_(create_private(beside_)) {
  if (file_ == nullptr) fail(std::strerror(errno));
}

NewFile::~NewFile() {
  if (file_ != nullptr) std::fclose(file_);
  if (!kept_) std::remove(beside_.c_str());  // not std::filesystem: its paths need memory
}

void NewFile::write(std::span<const uint8_t> bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) fail(std::strerror(errno));
  size_ += bytes.size();
}

void NewFile::keep() {
  if (std::fflush(file_) != 0 || !sync(file_)) fail(std::strerror(errno));
  const int closed = std::fclose(file_);
  file_ = nullptr;
  if (closed != 0) fail(std::strerror(errno));
  std::error_code error;
  std::filesystem::rename(beside_, path_, error);
  if (error) fail(error.message());
  kept_ = true;
}

void NewFile::fail(const std::string& why) const {
  throw Error(ErrorCode::kIo, "cannot write '" + path_ + "': " + why);
}

void make_private_folder(const std::string& path) {
  std::filesystem::path made;
  for (const auto& part : std::filesystem::path(path)) {
    made /= part;
#ifdef _WIN32
    std::error_code ignored;
    std::filesystem::create_directory(made, ignored);
#else
    ::mkdir(made.c_str(), S_IRWXU);  // a folder that exists, or cannot be made, stays as it is
#endif
  }
#ifndef _WIN32
  ::chmod(made.c_str(), S_IRWXU);  // an earlier version left it open to its user's group
#endif
}

}  // namespace cachalot
