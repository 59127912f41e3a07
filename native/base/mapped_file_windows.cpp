// MappedFile over CreateFileMapping. We open the file shared for reading only, and map it. So the
// system lets no one write to it or shorten it, and there is nothing to watch.

#include <windows.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/mapped_file.h"

namespace cachalot {

namespace {

/** Closes the handle when the scope ends, unless somebody has taken it. */
struct Handle {
  HANDLE value;
  ~Handle() {
    if (value != nullptr && value != INVALID_HANDLE_VALUE) ::CloseHandle(value);
  }
};

std::wstring wide(const std::string& text) {
  const int size = static_cast<int>(text.size());
  const int n = ::MultiByteToWideChar(CP_UTF8, 0, text.data(), size, nullptr, 0);
  std::wstring result(static_cast<size_t>(n), L'\0');
  ::MultiByteToWideChar(CP_UTF8, 0, text.data(), size, result.data(), n);
  return result;
}

[[noreturn]] void fail(const std::string& path) {
  const DWORD code = ::GetLastError();
  const bool missing = code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND;
  throw Error(missing ? ErrorCode::kModelNotFound : ErrorCode::kIo,
              "cannot open '" + path + "': Windows error " + std::to_string(code));
}

}  // namespace

MappedFile::MappedFile(const std::string& path, Writers) : path_(path) {
  Handle file{::CreateFileW(wide(path).c_str(), GENERIC_READ, FILE_SHARE_READ, nullptr,
                            OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr)};
  if (file.value == INVALID_HANDLE_VALUE) fail(path);
  LARGE_INTEGER size{};
  if (::GetFileSizeEx(file.value, &size) == 0) fail(path);
  if (size.QuadPart == 0) throw Error(ErrorCode::kFileTruncated, "'" + path + "' is empty");
  size_ = static_cast<size_t>(size.QuadPart);
  const Handle mapping{::CreateFileMappingW(file.value, nullptr, PAGE_READONLY, 0, 0, nullptr)};
  if (mapping.value == nullptr) fail(path);
  data_ = static_cast<const uint8_t*>(::MapViewOfFile(mapping.value, FILE_MAP_READ, 0, 0, 0));
  if (data_ == nullptr) fail(path);
  file_ = std::exchange(file.value, nullptr);
}

MappedFile::~MappedFile() {
  ::UnmapViewOfFile(data_);
  ::CloseHandle(file_);
}

void MappedFile::read(uint64_t offset, std::span<uint8_t> out) const {
  constexpr size_t kReadBytes = size_t{1} << 30;
  while (!out.empty()) {
    OVERLAPPED at{};
    at.Offset = static_cast<DWORD>(offset);
    at.OffsetHigh = static_cast<DWORD>(offset >> 32);
    DWORD n = 0;
    const auto wanted = static_cast<DWORD>(std::min(out.size(), kReadBytes));
    if (::ReadFile(file_, out.data(), wanted, &n, &at) == 0 || n == 0)
      throw Error(ErrorCode::kIo,
                  "cannot read '" + path_ + "': Windows error " + std::to_string(::GetLastError()));
    out = out.subspan(n);
    offset += n;
  }
}

bool MappedFile::is_resized() const { return false; }
bool MappedFile::is_modified() const { return false; }

}  // namespace cachalot
