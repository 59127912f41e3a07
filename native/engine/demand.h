// What a sequence still asks of the engine.
#pragma once

#include "engine/sequence.h"

namespace cachalot {

/** Tokens of the prompt that may come from the tree: rows whose outputs are wanted must be
 * computed.
 */
int reusable_tokens(const Sequence& sequence);

/** Tokens that are wanted before the request can end; the last of a scored text is never computed.
 */
int tokens_to_compute(const Sequence& sequence);

bool wants_output(const Sequence& sequence, int index);

inline int n_runs_for(int n_tokens) {
  return static_cast<int>(runs_of(static_cast<size_t>(n_tokens)));
}

}  // namespace cachalot
