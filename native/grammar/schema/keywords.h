// The keywords of a schema, one at a time: what is of the wrong kind is refused, with its place.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace cachalot {

/** Throws invalid_argument. */
[[noreturn]] void refuse_schema(const std::string& where, const std::string& what);

class Keywords {
 public:
  /** `schema`: an object, which must outlive this. `where`: a JSON pointer. */
  Keywords(const JsonValue& schema, std::string where)
      : schema_(&schema), where_(std::move(where)) {}

  const JsonValue& schema() const { return *schema_; }
  const std::string& where() const { return where_; }
  /** Where a keyword stands, or a part of it. */
  std::string at(const std::string& name) const;
  std::string at(const std::string& name, const std::string& part) const;

  bool has(const std::string& name) const { return find(name) != nullptr; }
  /** Null: it is not there. */
  const JsonValue* find(const std::string& name) const;
  const JsonArray* list(const std::string& name) const;
  const JsonObject* map(const std::string& name) const;
  const std::string* text(const std::string& name) const;
  std::optional<double> number(const std::string& name) const;
  /** A whole number from 0 on. */
  std::optional<int64_t> count(const std::string& name) const;
  /** A list of names that a keyword has as its value, or as a part of it. */
  std::vector<std::string> names(const JsonValue& value, const std::string& name) const;
  /** Whether it is there, and is not this. */
  bool has_but(const std::string& name, bool value) const;

 private:
  const JsonValue* schema_;
  std::string where_;
};

}  // namespace cachalot
