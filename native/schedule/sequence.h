// A running or waiting request as the scheduler sees it: its tokens, what it wants of them, and the
// context that it reads and writes.
//
// A sequence with a preamble first sees to it that the preamble's parts are held: if the text of
// one is not stored (it was never computed, or was evicted), it computes that as any other text.
#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "kv/context.h"
#include "kv/window_cuts.h"
#include "schedule/demand.h"
#include "schedule/drafting/drafter.h"
#include "schedule/drafting/guide.h"

namespace cachalot {

using Clock = std::chrono::steady_clock;

struct ActiveRequest;  // the engine's; the scheduler hands it back unread

/** Some text below a preamble. */
struct TextView {
  const PreambleRef& preamble;
  std::span<const int32_t> tokens;
};

struct Sequence {
  uint64_t id = 0;
  ActiveRequest* request = nullptr;
  TreeKey key;                  // of the tree: sequences of different keys share nothing
  std::vector<int32_t> tokens;  // the prompt and the generated tokens
  // Its own text begins here: those before are in the key, as an edited part or behind a cut.
  int text_begin = 0;
  WindowCuts cuts;                          // of its text, if it has a window
  PreambleTable* preamble_table = nullptr;  // the engine's
  int n_prompt = 0;
  int max_length = 0;  // the most tokens there is room for
  Demand demand;
  int priority = kDefaultPriority;  // the highest runs first
  int64_t deadline_ms = 0;          // on the scheduler's clock; 0: none
  uint64_t arrival = 0;             // among equals, the smallest runs first

  DraftOptions draft;
  std::unique_ptr<Drafter> drafter;  // once it has guessed
  std::unique_ptr<Guide> guide;      // null: it has none
  bool is_running = false;
  std::vector<HeldPreamble*> preambles;     // held while it runs
  const PreamblePart* computing = nullptr;  // the part whose text is computed now; null: its own
  std::vector<ScheduledEdit> edits;         // of its context that are still to come, ascending
  // Of the rows before the edit of the text that is computed now, if its policy observes some.
  std::unique_ptr<KeptQueries> queries;
  int n_observed = 0;              // of the last rows of its prompt, for its caller
  bool keeps_text = false;         // its KV is wanted when it has ended
  std::optional<Context> context;  // of the text that is computed now
  int cached_tokens = -1;          // found in the cache when first admitted; -1: not yet admitted
  Clock::time_point started;       // then
  int n_generated() const { return static_cast<int>(tokens.size()) - n_prompt; }

  // The text that is computed now.
  TextView text() const {
    return computing != nullptr ? TextView{computing->under, computing->tokens} : own_text();
  }
  TextView own_text() const {
    return {key.preamble, std::span(tokens).subspan(static_cast<size_t>(text_begin))};
  }
  int n_computed() const { return context ? context->n_computed() : 0; }
  int n_pending() const { return static_cast<int>(text().tokens.size()) - n_computed(); }
  /** How many first tokens must be computed before the sequence goes on or ends. */
  int n_compute() const {
    return computing != nullptr ? static_cast<int>(computing->tokens.size())
                                : std::min(demand.n_compute(), text_end()) - text_begin;
  }
  /** The rows of the text's [first, first + n) whose outputs are wanted, counted from the
   * sequence's first token. */
  std::span<const int32_t> wanted_in(int first, int n) const {
    return computing != nullptr ? std::span<const int32_t>()
                                : demand.wanted_in(text_begin + first, n);
  }

  /** Room for the queries that the edit of the text asks for, which is computed now; null: none. */
  std::unique_ptr<KeptQueries> room_for_queries(const SignalReader& signals) const {
    if (computing != nullptr) {
      if (!computing->edit || computing->edit->n_observed == 0) return nullptr;
      return signals.keep(static_cast<int>(computing->tokens.size()), computing->edit->n_observed,
                          computing->edit->stride);
    }
    const auto [end, n] = observed_rows();
    const int stride = edits.empty() ? 1 : edits.front().recipe.stride;
    return n == 0 ? nullptr : signals.keep(end, n, stride);
  }
  /** Where the observed rows of its own text end, and how many they are. */
  std::pair<int, int> observed_rows() const {
    if (edits.empty()) return {n_prompt - text_begin, n_observed};
    return {edits.front().index - text_begin, edits.front().recipe.n_observed};
  }
  /** Where an edit takes its own text in, or where that is cut: the sequence goes on below what is
   * left of it. INT32_MAX: nowhere. */
  int text_end() const {
    const int cut = cuts.after(text_begin);
    return edits.empty() ? cut : std::min(cut, edits.front().index);
  }
  bool has_text_end() const { return text_end() != INT32_MAX; }
  /** Whether its text ends before any more tokens. */
  bool is_at_text_end() const {
    return computing == nullptr && context && text_begin + n_computed() == text_end();
  }
  /** Whether its text ends before the first row that must be computed. */
  bool is_past_text_end() const { return text_end() <= demand.n_reusable(); }
  /** Whether the text that the next edit takes in is known. */
  bool knows_edited_text() const {
    return !edits.empty() && edits.front().index <= std::ssize(tokens);
  }
  /** What stands before its text after the next edit. */
  PreambleRef preamble_after_edit() const {
    const auto& [index, recipe, n_kept] = edits.front();
    const PreamblePart part{tokens_until(index), 0, 0, key.preamble, recipe, n_kept};
    return preamble_table->make({part}, index, window_below(key.preamble));
  }
  /** Goes on where its text ends, as far as the sequence knows of it: its own text so far becomes
   * part of the key, and it goes on below that. Nothing is computed or held here. */
  void begin_next_text() {
    const int end = text_end();
    const bool is_edit = !edits.empty() && edits.front().index == end;
    key.preamble = is_edit ? preamble_after_edit()
                           : preamble_after_cut(key.preamble, tokens_until(end), *preamble_table);
    text_begin = end;
    if (is_edit) edits.erase(edits.begin());
  }
  /** Its tokens behind a cut that no row reads any more. */
  int n_cut() const {
    return cuts.stride > 0 && text_begin > 0 ? text_begin - key.preamble->n_tokens() : 0;
  }
  /** Its own tokens up to token `end` of the sequence. */
  SharedTokens tokens_until(int end) const {
    return std::vector(tokens.begin() + text_begin, tokens.begin() + end);
  }

  /** Appends a token that was drawn. */
  void append(int32_t token) {
    tokens.push_back(token);
    demand.advance();
  }
};

}  // namespace cachalot
