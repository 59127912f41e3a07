// What it means that a fact does not hold: alternatives, each of which breaks it.
#pragma once

#include <vector>

#include "grammar/schema/schema.h"

namespace cachalot {

struct Alternative {
  std::vector<Claim> claims{};
  std::vector<Fact> facts{};
};

/** Throws invalid_argument for what has no opposite here. */
std::vector<Alternative> opposites(const Fact& fact, const std::string& where);

}  // namespace cachalot
