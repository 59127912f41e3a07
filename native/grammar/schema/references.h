// Where a schema's references lead: inside of the document only, by pointer, anchor or identifier.
#pragma once

#include <map>
#include <string>

#include "base/json.h"

namespace cachalot {

class References {
 public:
  /** `root` must outlive this. */
  explicit References(const JsonValue& root);

  /** Null: it leads nowhere. `from`: the schema that refers. */
  const JsonValue* find(const JsonValue& from, const std::string& reference) const;

 private:
  void index(const JsonValue& schema, const std::string& base);
  void index_below(const JsonValue& schema, const std::string& base);

  const JsonValue& root_;
  std::map<const JsonValue*, std::string> bases_;
  std::map<std::string, const JsonValue*> known_;  // by absolute identifier
};

}  // namespace cachalot
