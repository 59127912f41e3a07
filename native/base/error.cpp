#include "base/error.h"

#include <new>

namespace cachalot {

namespace {

const Error kOutOfMemoryError(ErrorCode::kOutOfMemory,
                              "there is not enough memory for this; close other programs, or lower "
                              "`kv.bytes` or what is asked for at once");
const Error kUnknownError(ErrorCode::kInternal, "internal error: an unknown exception");

}  // namespace

const char* error_code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInternal: return "internal";
    case ErrorCode::kInvalidArgument: return "invalid_argument";
    case ErrorCode::kIo: return "io";
    case ErrorCode::kModelNotFound: return "model_not_found";
    case ErrorCode::kFileTruncated: return "file_truncated";
    case ErrorCode::kFileBadMagic: return "file_bad_magic";
    case ErrorCode::kFileBadVersion: return "file_bad_version";
    case ErrorCode::kFileBadMetadata: return "file_bad_metadata";
    case ErrorCode::kFileDuplicateKey: return "file_duplicate_key";
    case ErrorCode::kFileBadAlignment: return "file_bad_alignment";
    case ErrorCode::kFileBadTensor: return "file_bad_tensor";
    case ErrorCode::kFileDuplicateTensor: return "file_duplicate_tensor";
    case ErrorCode::kFileTensorOverlap: return "file_tensor_overlap";
    case ErrorCode::kFileTensorOutOfBounds: return "file_tensor_out_of_bounds";
    case ErrorCode::kUnsupportedType: return "unsupported_type";
    case ErrorCode::kUnsupportedArchitecture: return "unsupported_architecture";
    case ErrorCode::kModelMissingKey: return "model_missing_key";
    case ErrorCode::kModelBadValue: return "model_bad_value";
    case ErrorCode::kModelMissingTensor: return "model_missing_tensor";
    case ErrorCode::kModelBadShape: return "model_bad_shape";
    case ErrorCode::kModelChanged: return "model_changed";
    case ErrorCode::kContextOverflow: return "context_overflow";
    case ErrorCode::kKvBudgetExceeded: return "kv_budget_exceeded";
    case ErrorCode::kDeadlineExceeded: return "deadline_exceeded";
    case ErrorCode::kOutOfMemory: return "out_of_memory";
    case ErrorCode::kDeviceUnavailable: return "device_unavailable";
    case ErrorCode::kDeviceFailed: return "device_failed";
    case ErrorCode::kNotANumber: return "not_a_number";
    case ErrorCode::kGrammarFailed: return "grammar_failed";
    case ErrorCode::kAborted: return "aborted";
    case ErrorCode::kDisposed: return "disposed";
  }
  return "internal";
}

const Error& out_of_memory() { return kOutOfMemoryError; }

Error current_error() noexcept {
  try {
    try {
      throw;
    } catch (const Error& ours) {
      return ours;
    } catch (const std::exception& other) {
      if (dynamic_cast<const std::bad_alloc*>(&other) != nullptr) return kOutOfMemoryError;
      return {ErrorCode::kInternal, other.what()};
    }
  } catch (const std::bad_alloc&) {
    return kOutOfMemoryError;
  } catch (...) {
    return kUnknownError;
  }
}

}  // namespace cachalot
