// Reads JavaScript's arguments without trust: each is of the right type, whole and within the range
// of the C++ type, or invalid_argument names it. Nothing is coerced, because that may call
// JavaScript.
#pragma once

#include <napi.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "base/error.h"

namespace cachalot::addon {

[[noreturn]] inline void refuse(const char* name, const std::string& expected) {
  throw Error(ErrorCode::kInvalidArgument,
              "expected " + expected + " for `" + std::string(name) + "` of the native interface");
}

inline double number_from(const Napi::Value& value, const char* name) {
  if (!value.IsNumber()) refuse(name, "a number");
  return value.As<Napi::Number>().DoubleValue();
}

/** JavaScript counts exactly up to 2^53 only. */
template <typename Integer>
Integer integer_from(const Napi::Value& value, const char* name) {
  constexpr double kExact = 9007199254740992.0;
  const double number = number_from(value, name);
  const double least =
      std::max(-kExact, static_cast<double>(std::numeric_limits<Integer>::lowest()));
  const double most = std::min(kExact, static_cast<double>(std::numeric_limits<Integer>::max()));
  if (!(number >= least && number <= most) || number != std::trunc(number))
    refuse(name, "a whole number within its range");
  return static_cast<Integer>(number);
}

inline float float_from(const Napi::Value& value, const char* name) {
  const double number = number_from(value, name);
  if (!(std::abs(number) <= FLT_MAX)) refuse(name, "a finite number");
  return static_cast<float>(number);
}

inline std::string string_from(const Napi::Value& value, const char* name) {
  if (!value.IsString()) refuse(name, "a string");
  return value.As<Napi::String>().Utf8Value();
}

inline Napi::Object object_from(const Napi::Value& value, const char* name) {
  if (!value.IsObject()) refuse(name, "an object");
  return value.As<Napi::Object>();
}

inline Napi::Function function_from(const Napi::Value& value, const char* name) {
  if (!value.IsFunction()) refuse(name, "a function");
  return value.As<Napi::Function>();
}

/** A copy, which JavaScript cannot change any more: check the copy. Detached arrays are empty. */
template <typename Element>
std::vector<Element> array_from(const Napi::Value& value, const char* name) {
  constexpr bool kIsFloat = std::is_same_v<Element, float>;
  static_assert(kIsFloat || std::is_same_v<Element, int32_t>);
  constexpr napi_typedarray_type kType = kIsFloat ? napi_float32_array : napi_int32_array;
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != kType)
    refuse(name, kIsFloat ? "a Float32Array" : "an Int32Array");
  const auto array = value.As<Napi::TypedArrayOf<Element>>();
  if (array.ElementLength() == 0) return {};
  return {array.Data(), array.Data() + array.ElementLength()};
}

}  // namespace cachalot::addon
