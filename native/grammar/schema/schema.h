// A JSON Schema (2020-12, and what older drafts spell otherwise) as facts about values. A fact says
// something about values of one type and holds for all others. So each can be denied: its opposite
// is a list of alternatives, and "not" and "oneOf" need no case of their own further on.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/regex/nfa.h"

namespace cachalot {

/** The types of JSON values, as bits; numbers and booleans are told further. */
using TypeSet = uint8_t;
constexpr TypeSet kNullType = 1, kTrueType = 2, kFalseType = 4, kIntegerType = 8;
constexpr TypeSet kFractionType = 16, kTextType = 32, kArrayType = 64, kObjectType = 128;
constexpr TypeSet kNumberTypes = kIntegerType | kFractionType, kAllTypes = 255;

constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();

/** That a value fits a node, or (odd) that it does not. */
using Claim = int32_t;
constexpr Claim kAnything = 0, kNothing = 1;  // the first node has no facts
constexpr Claim denied(Claim claim) { return claim ^ 1; }
constexpr size_t node_of(Claim claim) { return static_cast<size_t>(claim >> 1); }
constexpr bool is_denied(Claim claim) { return (claim & 1) != 0; }

/** Names of properties: one, those that a pattern matches, or all that are no such. */
struct KeySet {
  enum class Kind { kName, kPattern, kOthers };
  Kind kind = Kind::kName;
  std::vector<std::string> names{};  // of kName: one
  std::vector<int32_t> patterns{};   // of kPattern: one
};

/** A value without parts, but null and booleans, which are types. */
struct Literal {
  bool is_text = false;
  std::string text{};
  double number = 0;
  bool operator==(const Literal&) const = default;
};

struct Fact {
  enum class Kind {
    kTypes,        // `types`
    kLower,        // number >= `number`; > if `is_open`
    kUpper,        // number <= `number`; < if `is_open`
    kMultiple,     // of `number`
    kLeastLength,  // text of at least `from` code points
    kMostLength,
    kPattern,     // text that `pattern` matches
    kNotPattern,  // text that it does not match
    kLeastItems,  // array of at least `from` items
    kMostItems,
    kEveryItem,    // items `from` to `to` (inclusive) fit `claim`
    kSomeItem,     // one of them does
    kUniqueItems,  // no two items are equal
    kLeastKeys,    // object of at least `from` properties
    kMostKeys,
    kRequired,     // object that has `keys`, a name
    kForbidden,    // object that lacks it
    kEveryKey,     // properties of `keys` fit `claim`
    kSomeKey,      // one of them is there and does
    kKeyNames,     // names of properties, as texts, fit `claim`
    kLiterals,     // `types`, or one of `literals`
    kNotLiterals,  // neither of `types` nor one of `literals`
    kBranches,     // any of `branches`, all claims of it; the opposite: any of `opposite`
    kExactlyOne,   // of the claims of `branches`, one each
  };

  Kind kind;
  TypeSet types = kAllTypes;
  double number = 0;
  bool is_open = false;
  int64_t from = 0, to = kUnlimited;
  int32_t pattern = -1;
  KeySet keys{};
  Claim claim = kAnything;
  std::vector<Literal> literals{};
  std::vector<std::vector<Claim>> branches{}, opposite{};
};

struct SchemaNode {
  std::string where;  // in the schema, as a JSON pointer
  std::vector<Fact> facts{};
};

struct Schema {
  std::vector<SchemaNode> nodes;
  std::vector<Nfa> patterns;  // over code points
  Claim root = kAnything;
};

/** `text`: JSON. Throws invalid_argument that names a keyword that is wrong or not supported, and
 * where it stands. */
Schema read_schema(std::string_view text);

}  // namespace cachalot
