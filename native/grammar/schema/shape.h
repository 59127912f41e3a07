// One way for a value to fit: facts without alternatives, put together by type.
#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "grammar/number/number_rules.h"
#include "grammar/schema/schema.h"

namespace cachalot {

struct ItemRule {
  int64_t from, to;  // inclusive
  Claim claim;
};

struct KeyRule {
  KeySet keys;
  Claim claim;
};

struct Shape {
  TypeSet types = kAllTypes;  // of which a value may be had, as far as parts are not looked at

  NumberLimits numbers{};

  int64_t least_length = 0, most_length = kUnlimited;
  std::set<int32_t> patterns{}, not_patterns{};
  std::set<std::string> not_texts{};

  bool is_listed = false;  // texts and numbers are these only
  std::vector<Literal> literals{};

  int64_t least_items = 0, most_items = kUnlimited;
  std::vector<ItemRule> items{}, some_items{};
  bool has_unique_items = false;

  int64_t least_keys = 0, most_keys = kUnlimited;
  std::set<std::string> required{}, forbidden{};
  std::vector<KeyRule> keys{}, some_keys{};
  std::vector<Claim> key_names{};

  /** All claims on item `index`. */
  std::vector<Claim> item_claims(int64_t index) const;
  /** Items from this on are alike. */
  int64_t first_alike() const;
};

Shape shape_of(TypeSet types, std::span<const Fact* const> facts);

}  // namespace cachalot
