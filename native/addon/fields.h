// The fields of a JavaScript object, as the addon receives it.
#pragma once

#include <string>
#include <vector>

#include "addon/arguments.h"

namespace cachalot::addon {

/** The fields of an object, each read once. */
class Fields {
 public:
  Fields(const Napi::Value& value, const char* name) : object_(object_from(value, name)) {}
  Napi::Value get(const char* key) const { return object_.Get(key); }
  template <typename Integer = int32_t>
  Integer integer(const char* key) const {
    return integer_from<Integer>(get(key), key);
  }
  float real(const char* key) const { return float_from(get(key), key); }
  std::string string(const char* key) const { return string_from(get(key), key); }
  bool is(const char* key) const { return get(key).ToBoolean(); }
  template <typename Element = int32_t>
  std::vector<Element> array(const char* key) const {
    return array_from<Element>(get(key), key);
  }

 private:
  Napi::Object object_;
};

}  // namespace cachalot::addon
