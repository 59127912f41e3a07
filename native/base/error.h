// The one exception type of the native code. Codes are a closed set that lib/errors.ts mirrors;
// a message says what is wrong, where, and what to do.
#pragma once

#include <stdexcept>
#include <string>

namespace cachalot {

enum class ErrorCode {
  kInternal,
  kInvalidArgument,
  kIo,
  kModelNotFound,
  kFileTruncated,
  kFileBadMagic,
  kFileBadVersion,
  kFileBadMetadata,
  kFileDuplicateKey,
  kFileBadAlignment,
  kFileBadTensor,
  kFileDuplicateTensor,
  kFileTensorOverlap,
  kFileTensorOutOfBounds,
  kUnsupportedType,
  kUnsupportedArchitecture,
  kModelMissingKey,
  kModelBadValue,
  kModelMissingTensor,
  kModelBadShape,
  kModelChanged,
  kContextOverflow,
  kKvBudgetExceeded,
  kDeadlineExceeded,
  kOutOfMemory,
  kDeviceUnavailable,
  kDeviceFailed,
  kNotANumber,
  kGrammarFailed,
  kAborted,
  kDisposed,
};

/** The code as users see it: `CachalotError.code`. */
const char* error_code_name(ErrorCode code);

/** Copies share their message, so a copy needs no memory when that has run out. */
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

/** The error that users see for a std::bad_alloc. Made beforehand, because it needs memory. */
const Error& out_of_memory();

/** The exception that is being handled, whatever it is, as one of ours. */
Error current_error() noexcept;

}  // namespace cachalot
