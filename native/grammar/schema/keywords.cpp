#include "grammar/schema/keywords.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace cachalot {

namespace {

/** A part of a JSON pointer. */
std::string escaped(const std::string& name) {
  std::string result;
  for (const char c : name) result += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return result;
}

}  // namespace

void refuse_schema(const std::string& where, const std::string& what) {
  throw Error(ErrorCode::kInvalidArgument, what + ", at " + where);
}

std::string Keywords::at(const std::string& name) const { return where_ + "/" + escaped(name); }

std::string Keywords::at(const std::string& name, const std::string& part) const {
  return at(name) + "/" + escaped(part);
}

const JsonValue* Keywords::find(const std::string& name) const {
  const auto found = schema_->object()->find(name);
  return found == schema_->object()->end() ? nullptr : &found->second;
}

const JsonArray* Keywords::list(const std::string& name) const {
  const JsonValue* value = find(name);
  if (value != nullptr && value->array() == nullptr) refuse_schema(at(name), "it must be a list");
  return value == nullptr ? nullptr : value->array();
}

const JsonObject* Keywords::map(const std::string& name) const {
  const JsonValue* value = find(name);
  if (value != nullptr && value->object() == nullptr)
    refuse_schema(at(name), "it must be an object");
  return value == nullptr ? nullptr : value->object();
}

const std::string* Keywords::text(const std::string& name) const {
  const JsonValue* value = find(name);
  if (value != nullptr && value->text() == nullptr) refuse_schema(at(name), "it must be a text");
  return value == nullptr ? nullptr : value->text();
}

std::optional<double> Keywords::number(const std::string& name) const {
  const JsonValue* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (value->number() == nullptr) refuse_schema(at(name), "it must be a number");
  return *value->number();
}

std::optional<int64_t> Keywords::count(const std::string& name) const {
  const auto value = number(name);
  if (!value) return std::nullopt;
  if (*value < 0 || *value != std::floor(*value))
    refuse_schema(at(name), "it must be a whole number from 0 on");
  return static_cast<int64_t>(std::min(*value, 1e15));
}

std::vector<std::string> Keywords::names(const JsonValue& value, const std::string& name) const {
  std::vector<std::string> result;
  if (value.array() == nullptr) refuse_schema(at(name), "it must be a list of names");
  for (const JsonValue& one : *value.array()) {
    if (one.text() == nullptr) refuse_schema(at(name), "it must be a list of names");
    result.push_back(*one.text());
  }
  return result;
}

bool Keywords::has_but(const std::string& name, bool value) const {
  const JsonValue* found = find(name);
  return found != nullptr && (found->boolean() == nullptr || *found->boolean() != value);
}

}  // namespace cachalot
