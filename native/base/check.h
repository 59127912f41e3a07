// CHECK(condition, message): an invariant of our own code. Bad *input* throws Error with its own
// code.
#pragma once

#include <string>

#include "base/error.h"

#define CHECK(condition, message)                                                                 \
  do {                                                                                            \
    if (!(condition)) {                                                                           \
      throw ::cachalot::Error(::cachalot::ErrorCode::kInternal,                                   \
                              std::string("internal error: ") + (message) + " (" #condition ")"); \
    }                                                                                             \
  } while (false)
