// Memory that windows have passed: the part of Scheduler that gives it back when there is no other.

#include <climits>

#include "schedule/scheduler.h"

namespace cachalot {

namespace {

/** Whether a part, an edit or a pin will take the text as a whole. */
bool needs_whole_text(const Sequence& sequence) {
  return sequence.computing != nullptr || sequence.has_text_end() || sequence.keeps_text;
}

}  // namespace

/** How many tokens of a sequence need memory at the same time, if its windows let go of the rest;
 * INT_MAX if they do not. */
int Scheduler::rows_within_window(const Sequence& sequence) const {
  const auto& [n_sinks, window] = window_below(sequence.key.preamble);
  const int size = options_.layer_window > 0 ? options_.layer_window : window;
  if (size == 0 || needs_whole_text(sequence)) return INT_MAX;
  return n_sinks + size + options_.max_rows + kTileTokens;
}

/** Called when there is no memory. Frees what no row of the running sequences will read. False if
 * there is nothing. */
bool Scheduler::free_behind_windows() {
  int n_freed = 0;
  for (Sequence* sequence : running_) {
    if (!sequence->context || needs_whole_text(*sequence)) continue;
    const Context& context = *sequence->context;
    const auto& [n_sinks, window] = context.window();
    const int origin = context.position_of(0), next = context.position_of(context.n_computed());
    const auto free = [&](int begin, int size) {
      if (size == 0) return;
      const int end = next + 1 - size;  // the first position that the next row reads
      n_freed += kv_.cache.free_tokens(context.leaf(), std::max(begin - origin, 0), end - origin);
    };
    if (options_.layer_window > 0) free(0, options_.layer_window);
    else free(n_sinks, window);
  }
  return n_freed > 0;
}

}  // namespace cachalot
