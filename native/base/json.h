// JSON (RFC 8259) of hostile origin: safetensors headers, Hugging Face's config files, schemas.
// Strict, no duplicate keys, bounded depth; nothing is allocated beyond a small multiple of the
// text.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"

namespace cachalot {

struct JsonValue;
using JsonArray = std::vector<JsonValue>;
using JsonObject = std::map<std::string, JsonValue>;

struct JsonValue {
  std::variant<std::nullptr_t, bool, double, std::string, JsonArray, JsonObject> value = nullptr;

  bool is_null() const { return std::holds_alternative<std::nullptr_t>(value); }
  const bool* boolean() const { return std::get_if<bool>(&value); }
  const double* number() const { return std::get_if<double>(&value); }
  const std::string* text() const { return std::get_if<std::string>(&value); }
  const JsonArray* array() const { return std::get_if<JsonArray>(&value); }
  const JsonObject* object() const { return std::get_if<JsonObject>(&value); }
  /** The member of an object; null if this is no object, has no such member, or it is null. */
  const JsonValue* find(const std::string& key) const;
  /** Whether an object has the member, even if that is null. */
  bool has(const std::string& key) const;
};

struct JsonRules {
  int max_depth = 32;
  ErrorCode code = ErrorCode::kFileBadMetadata;  // of a fault
};

/** Throws an error with the offset of the fault. */
JsonValue parse_json(std::span<const uint8_t> text, JsonRules rules = {});

}  // namespace cachalot
