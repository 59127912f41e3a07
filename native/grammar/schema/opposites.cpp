#include "grammar/schema/opposites.h"

#include "base/error.h"

namespace cachalot {

namespace {

using Kind = Fact::Kind;

/** A value of these types of which a fact holds. */
std::vector<Alternative> only(TypeSet types, Fact fact) {
  return {{.facts = {{.kind = Kind::kTypes, .types = types}, std::move(fact)}}};
}

/** The opposite of at least, or at most, so many. */
std::vector<Alternative> fewer(TypeSet types, Kind kind, int64_t least) {
  if (least == 0) return {};
  return only(types, {.kind = kind, .from = least - 1});
}
std::vector<Alternative> more(TypeSet types, Kind kind, int64_t most) {
  return only(types, {.kind = kind, .from = most + 1});
}

std::vector<Alternative> opposite_of_every_key(const Fact& fact) {
  Fact breaks = fact;
  breaks.claim = denied(fact.claim);
  if (fact.keys.kind != KeySet::Kind::kName) breaks.kind = Kind::kSomeKey;
  auto result = only(kObjectType, std::move(breaks));
  if (fact.keys.kind == KeySet::Kind::kName)
    result.front().facts.push_back({.kind = Kind::kRequired, .keys = fact.keys});
  return result;
}

std::vector<Alternative> opposite_of_every_item(const Fact& fact) {
  Fact breaks = fact;
  breaks.claim = denied(fact.claim);
  const bool is_one = fact.from == fact.to;
  if (!is_one) breaks.kind = Kind::kSomeItem;
  auto result = only(kArrayType, std::move(breaks));
  if (is_one) result.front().facts.push_back({.kind = Kind::kLeastItems, .from = fact.from + 1});
  return result;
}

std::vector<Alternative> opposite_of_branches(const Fact& fact) {
  std::vector<Alternative> result;
  for (const auto& branch : fact.opposite) result.push_back({.claims = branch});
  return result;
}

std::vector<Alternative> opposite_of_rest(const Fact& fact, const std::string& where) {
  const auto with = [&](Kind kind) {
    Fact result = fact;
    result.kind = kind;
    return result;
  };
  switch (fact.kind) {
    case Kind::kRequired: return only(kObjectType, with(Kind::kForbidden));
    case Kind::kForbidden: return only(kObjectType, with(Kind::kRequired));
    case Kind::kEveryKey: return opposite_of_every_key(fact);
    case Kind::kEveryItem: return opposite_of_every_item(fact);
    case Kind::kSomeItem: {
      Fact none = with(Kind::kEveryItem);
      none.claim = denied(fact.claim);
      return only(kArrayType, std::move(none));
    }
    case Kind::kLiterals: return {{.facts = {with(Kind::kNotLiterals)}}};
    case Kind::kNotLiterals: return {{.facts = {with(Kind::kLiterals)}}};
    case Kind::kBranches:
    case Kind::kExactlyOne: return opposite_of_branches(fact);
    default:
      throw Error(ErrorCode::kInvalidArgument,
                  std::string("\"") +
                      (fact.kind == Kind::kMultiple      ? "multipleOf"
                       : fact.kind == Kind::kUniqueItems ? "uniqueItems"
                                                         : "propertyNames") +
                      "\" is not supported where it must not hold, as below \"not\" or where "
                      "alternatives of \"oneOf\" overlap, at " +
                      where);
  }
}

}  // namespace

std::vector<Alternative> opposites(const Fact& fact, const std::string& where) {
  const int64_t n = fact.from;
  switch (fact.kind) {
    case Kind::kTypes:
      return {{.facts = {{.kind = Kind::kTypes, .types = static_cast<TypeSet>(~fact.types)}}}};
    case Kind::kLower:
      return only(kNumberTypes,
                  {.kind = Kind::kUpper, .number = fact.number, .is_open = !fact.is_open});
    case Kind::kUpper:
      return only(kNumberTypes,
                  {.kind = Kind::kLower, .number = fact.number, .is_open = !fact.is_open});
    case Kind::kLeastLength: return fewer(kTextType, Kind::kMostLength, n);
    case Kind::kMostLength: return more(kTextType, Kind::kLeastLength, n);
    case Kind::kPattern:
      return only(kTextType, {.kind = Kind::kNotPattern, .pattern = fact.pattern});
    case Kind::kNotPattern:
      return only(kTextType, {.kind = Kind::kPattern, .pattern = fact.pattern});
    case Kind::kLeastItems: return fewer(kArrayType, Kind::kMostItems, n);
    case Kind::kMostItems: return more(kArrayType, Kind::kLeastItems, n);
    case Kind::kLeastKeys: return fewer(kObjectType, Kind::kMostKeys, n);
    case Kind::kMostKeys: return more(kObjectType, Kind::kLeastKeys, n);
    default: return opposite_of_rest(fact, where);
  }
}

}  // namespace cachalot
