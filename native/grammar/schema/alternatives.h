// From claims on a value to the ways in which it may fit them all: their disjunctive normal form.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "grammar/schema/schema.h"
#include "grammar/schema/shape.h"

namespace cachalot {

/** Whether a value might fit both; where it is not known, true. */
using MayOverlap = std::function<bool(Claim one, Claim other)>;

/** `n_steps`: how many may still be taken. Throws invalid_argument if they are too few, or for what
 * has no opposite here. */
std::vector<Shape> alternatives_of(const Schema& schema, std::span<const Claim> claims,
                                   const MayOverlap& may_overlap, int64_t* n_steps);

}  // namespace cachalot
