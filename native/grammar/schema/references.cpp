#include "grammar/schema/references.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace cachalot {

namespace {

std::string without_fragment(const std::string& uri) { return uri.substr(0, uri.find('#')); }

bool has_scheme(const std::string& uri) {
  const size_t colon = uri.find(':');
  return colon != uri.npos && uri.find_first_of("/?#") > colon;
}

/** RFC 3986, as far as identifiers of schemas need it. */
std::string resolve(const std::string& base, const std::string& reference) {
  if (has_scheme(reference)) return reference;
  const std::string from = without_fragment(base);
  if (reference.empty() || reference.front() == '#') return from + reference;
  const size_t scheme = from.find("://");
  const size_t path = scheme == from.npos ? 0 : from.find('/', scheme + 3);
  if (reference.front() == '/') return from.substr(0, path) + reference;
  const size_t slash = from.rfind('/');
  const bool has_path = slash != from.npos && (scheme == from.npos || slash > scheme + 2);
  return has_path ? from.substr(0, slash + 1) + reference
                  : from + (scheme == from.npos ? "" : "/") + reference;
}

/** Undoes "%xx", and "~0" and "~1" of a pointer. */
std::string unescaped(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); i++) {
    unsigned code = 0;
    const bool is_hex = text[i] == '%' && i + 2 < text.size() &&
                        std::from_chars(&text[i + 1], &text[i + 3], code, 16).ptr == &text[i + 3];
    if (is_hex) i += 2;
    result.push_back(is_hex ? static_cast<char>(code) : text[i]);
  }
  for (const auto& [from, to] : {std::pair("~1", "/"), std::pair("~0", "~")})
    for (size_t at = 0; (at = result.find(from, at)) != result.npos; at++)
      result.replace(at, 2, to);
  return result;
}

const JsonValue* step(const JsonValue& value, const std::string& name) {
  if (const JsonObject* members = value.object()) {
    const auto found = members->find(name);
    return found == members->end() ? nullptr : &found->second;
  }
  const JsonArray* items = value.array();
  size_t index = 0;
  const auto end = name.data() + name.size();
  if (items == nullptr || std::from_chars(name.data(), end, index).ptr != end) return nullptr;
  return index < items->size() ? &(*items)[index] : nullptr;
}

/** `pointer`: "/a/b", or nothing. */
const JsonValue* follow(const JsonValue* value, std::string_view pointer) {
  while (value != nullptr && !pointer.empty()) {
    if (pointer.front() != '/') return nullptr;
    pointer.remove_prefix(1);
    const std::string_view name = pointer.substr(0, pointer.find('/'));
    value = step(*value, unescaped(name));
    pointer.remove_prefix(name.size());
  }
  return value;
}

constexpr const char* kOne[] = {"additionalItems",
                                "additionalProperties",
                                "contains",
                                "else",
                                "if",
                                "items",
                                "not",
                                "propertyNames",
                                "then",
                                "unevaluatedItems",
                                "unevaluatedProperties"};
constexpr const char* kLists[] = {"allOf", "anyOf", "items", "oneOf", "prefixItems"};
constexpr const char* kMaps[] = {
    "$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"};

}  // namespace

References::References(const JsonValue& root) : root_(root) {
  known_.emplace("", &root);
  index(root, "");
}

void References::index(const JsonValue& schema, const std::string& base) {
  if (schema.object() == nullptr) return;
  std::string own = base;
  for (const char* name : {"$id", "id"}) {
    const JsonValue* id = schema.find(name);
    if (id == nullptr || id->text() == nullptr || id->text()->empty()) continue;
    const std::string uri = resolve(base, *id->text());
    known_.emplace(uri.ends_with('#') ? without_fragment(uri) : uri, &schema);
    if (id->text()->front() != '#') own = without_fragment(uri);
    break;
  }
  for (const char* name : {"$anchor", "$dynamicAnchor"}) {
    const JsonValue* anchor = schema.find(name);
    if (anchor != nullptr && anchor->text() != nullptr)
      known_.emplace(own + "#" + *anchor->text(), &schema);
  }
  bases_[&schema] = own;
  index_below(schema, own);
}

void References::index_below(const JsonValue& schema, const std::string& base) {
  for (const char* name : kOne)
    if (const JsonValue* one = schema.find(name)) index(*one, base);
  for (const char* name : kLists) {
    const JsonValue* list = schema.find(name);
    if (list == nullptr || list->array() == nullptr) continue;
    for (const JsonValue& one : *list->array()) index(one, base);
  }
  for (const char* name : kMaps) {
    const JsonValue* map = schema.find(name);
    if (map == nullptr || map->object() == nullptr) continue;
    for (const auto& [key, one] : *map->object()) index(one, base);
  }
}

const JsonValue* References::find(const JsonValue& from, const std::string& reference) const {
  const auto base = bases_.find(&from);
  const std::string uri = resolve(base == bases_.end() ? "" : base->second, reference);
  if (const auto found = known_.find(uri); found != known_.end()) return found->second;
  const auto document = known_.find(without_fragment(uri));
  if (document == known_.end()) return nullptr;
  const size_t hash = uri.find('#');
  return hash == uri.npos ? document->second : follow(document->second, uri.substr(hash + 1));
}

}  // namespace cachalot
