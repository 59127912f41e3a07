#include "schedule/admission.h"

#include <algorithm>
#include <iterator>

#include "base/common_prefix.h"

namespace cachalot {

namespace {

constexpr int kUnknownLength = 128;  // tokens of an answer, before any has ended
constexpr double kMeanRate = 0.05;   // of the mean length of answers
constexpr int kEdges = 2;            // slabs of a part that are copied, at most

/** Keys of a head of what an edit has left before a text; 0: nothing. */
int n_kept(const PreambleRef& preamble) {
  if (preamble == nullptr || preamble->parts.empty() || !preamble->parts.front().edit) return 0;
  return std::min(preamble->parts.front().n_kept, preamble->n_tokens());
}

/** Slabs of the parts of a preamble, as they are held. */
int64_t held_slabs(const PreambleRef& preamble) {
  int64_t n = 0;
  for (const PreamblePart& part : parts_of(preamble)) {
    const int n_tokens = part.edit ? std::min(part.n_kept, part.n_tokens()) : part.n_tokens();
    n += slabs_for(n_tokens) + kEdges;
  }
  return n;
}

}  // namespace

Admission::Verdict Admission::can_admit(const RunningSequences& running, int64_t expected_bytes,
                                        const Sequence& next) const {
  if (reuse_ && is_being_computed(running, next)) return Verdict::kDefer;
  if (running.empty()) return Verdict::kAdmit;
  return missing_bytes(expected_bytes, next) > 0 ? Verdict::kNoRoom : Verdict::kAdmit;
}

/** The texts of a preamble's parts, and of the parts that these are edits of. */
template <typename Visitor>
bool Admission::for_each_part(const Sequence& sequence, const Preamble& preamble,
                              const Visitor& visitor) const {
  return std::ranges::all_of(preamble.parts, [&](const PreamblePart& part) {
    std::span<const int32_t> tokens = part.tokens;
    if (part.edit) {  // the rows that it observes are computed again
      const auto n_observed =
          static_cast<size_t>(part.edit->n_observed) * static_cast<size_t>(part.edit->stride);
      tokens = tokens.first(tokens.size() - std::min(tokens.size(), n_observed));
    }
    if (part.edit && part.under != nullptr && !for_each_part(sequence, *part.under, visitor))
      return false;
    return visitor(TreeKey{sequence.key.name_space, part.under}, tokens, part.first);
  });
}

/** Visits the texts of a waiting sequence's preamble, then its own, as far as they may come from
 * the cache: each with its key and the part's first token. Ends when the visitor returns false. */
template <typename Visitor>
void Admission::for_each_text(const Sequence& sequence, const Visitor& visitor) const {
  if (sequence.key.preamble != nullptr && !preambles_.is_held(sequence.key)) {
    if (!for_each_part(sequence, *sequence.key.preamble, visitor)) return;
  }
  const auto n = static_cast<size_t>(n_reusable(sequence));
  visitor(sequence.key, sequence.own_text().tokens.first(n), 0);
}

int Admission::n_stored(const Sequence& sequence) const {
  const bool is_held = sequence.key.preamble != nullptr && preambles_.is_held(sequence.key);
  int n = is_held ? sequence.key.preamble->n_tokens() : 0;
  for_each_text(sequence, [&](const TreeKey& key, std::span<const int32_t> tokens, int first) {
    n += std::max(0, cache_.match(key, tokens) - first);
    return true;
  });
  // Behind a cut nothing is needed but the sinks, if some of the last tokens before it are stored.
  const bool has_last = is_held || n > window_below(sequence.key.preamble).n_sinks;
  return has_last ? n + sequence.n_cut() : n;
}

/** Whether a running sequence will add at least a slab of tokens to the text that `next` would
 * compute first. If `next` waits for them, equal text is computed once. */
bool Admission::is_being_computed(const RunningSequences& running, const Sequence& next) const {
  int n_stored = 0;
  PreambleRef preamble;
  std::span<const int32_t> missing;
  for_each_text(next, [&](const TreeKey& key, std::span<const int32_t> tokens, int) {
    n_stored = cache_.match(key, tokens);
    preamble = key.preamble;
    missing = tokens;
    return n_stored == static_cast<int>(tokens.size());
  });
  const int whole = whole_slab_tokens(n_stored);
  for (const Sequence* other : running) {
    if (other->n_pending() <= 1) continue;
    const TextView text = other->text();
    const auto n = std::min(missing.size(), static_cast<size_t>(other->n_compute()));
    if (n < static_cast<size_t>(n_stored + kTileTokens)) continue;
    if (other->key.name_space != next.key.name_space) continue;
    if (text.preamble != preamble) continue;
    if (common_prefix(missing.first(n), text.tokens) >= whole + kTileTokens) return true;
  }
  return false;
}

/** Tokens whose KV a sequence has at the same time, at most, beyond what an edit has left that it
 * holds: of its own text, or while that is edited for the first time. */
int Admission::n_tokens_at_most(const Sequence& sequence) const {
  const double mean = mean_generated_ == 0 ? kUnknownLength : mean_generated_;
  const int n_generated =
      std::min(sequence.demand.max_tokens(),
               std::max(static_cast<int>(mean), sequence.n_generated() + kTileTokens));
  const int end = std::max(sequence.demand.n_compute(), sequence.n_prompt + n_generated);
  if (const int cut = sequence.text_end(); sequence.cuts.stride > 0 && cut < end) {
    // What ended at a cut stays until the next text has ended.
    const int next = std::min(sequence.cuts.stride, end - cut);
    return std::max(cut - sequence.text_begin, next) + next;
  }
  const int held = n_kept(sequence.key.preamble);
  int begin = sequence.text_begin, before = 0, most = 0;  // tokens, further keys of an edited part
  bool is_first = held == 0;
  for (const ScheduledEdit& edit : sequence.edits) {
    if (edit.index > end) break;
    // A later edit takes the place of the one before; see replaced_slabs.
    most = std::max(most, before + edit.index - begin + (is_first ? edit.n_kept : 0));
    begin = edit.index;
    before = std::max(0, edit.n_kept - held);
    is_first = false;
  }
  return std::max(most, before + end - begin);
}

/** While what an edit has left is edited again, both are there: of one sequence at a time. */
int64_t Admission::replaced_slabs(const RunningSequences& running) const {
  int most = 0;
  for (const Sequence* sequence : running) {
    const bool is_edited = n_kept(sequence->key.preamble) > 0;
    for (size_t i = is_edited ? 0 : 1; i < sequence->edits.size(); i++)
      most = std::max(most, sequence->edits[i].n_kept);
  }
  return slabs_for(most);
}

int64_t Admission::expected_bytes(const Sequence& sequence) const {
  const int n_tokens = n_tokens_at_most(sequence);
  const auto slab_bytes = static_cast<int64_t>(pool_.slab_bytes());
  const int64_t n_pool = static_cast<int64_t>(pool_.bytes()) / slab_bytes;
  int64_t n_slabs = std::min(int64_t{slabs_for(n_tokens)}, n_pool);
  if (sequence.context && sequence.computing == nullptr)
    n_slabs = std::max(int64_t{0}, n_slabs - std::ssize(sequence.context->slabs()));
  else {
    std::map<const Preamble*, int64_t> known;
    n_slabs += missing_slabs(sequence, sequence.key.preamble, &known);
  }
  return n_slabs * slab_bytes;
}

int64_t Admission::expected_bytes(const RunningSequences& running) const {
  int64_t n_bytes = 0;
  for (const Sequence* sequence : running) n_bytes += expected_bytes(*sequence);
  return n_bytes + replaced_slabs(running) * static_cast<int64_t>(pool_.slab_bytes());
}

/** Slabs that the parts of a preamble need beyond what is stored of them: at the end, or while the
 * text of one is computed, whichever is more. */
int64_t Admission::missing_slabs(const Sequence& sequence, const PreambleRef& preamble,
                                 std::map<const Preamble*, int64_t>* known) const {
  if (preamble == nullptr || preambles_.is_held({sequence.key.name_space, preamble})) return 0;
  const auto [at, is_new] = known->try_emplace(preamble.get(), 0);
  if (!is_new) return at->second;
  int64_t held = 0, most = 0;
  for (const PreamblePart& part : preamble->parts) {
    const auto n_tokens = static_cast<int>(part.tokens.size());
    const int n_stored = cache_.match({sequence.key.name_space, part.under}, part.tokens);
    const bool is_missing = n_stored < n_tokens;
    held += kEdges;
    if (part.edit) held += slabs_for(std::min(part.n_kept, part.n_tokens()));
    const int64_t text = is_missing ? slabs_for(n_tokens - whole_slab_tokens(n_stored)) : 0;
    if (part.edit || is_missing) {
      most = std::max({most, held + text + held_slabs(part.under),
                       held + missing_slabs(sequence, part.under, known)});
    }
    if (!part.edit) held += text;
  }
  at->second = std::max(held, most);
  return at->second;
}

int64_t Admission::missing_bytes(int64_t expected, const Sequence& next) const {
  const auto slab_bytes = static_cast<int64_t>(pool_.slab_bytes());
  int64_t needed = expected + expected_bytes(next) - cache_.available_bytes();
  int64_t n_own = 0;  // stored of its own tokens, which come last
  for_each_text(next, [&](const TreeKey& key, std::span<const int32_t> tokens, int) {
    const auto [n_tokens, available_bytes] = cache_.stored(key, tokens);
    needed += available_bytes;
    n_own = n_tokens;
    return true;
  });
  needed -= n_own / kTileTokens * slab_bytes;
  return needed;
}

void Admission::learn_length(int n_generated) {
  const double n = n_generated;
  mean_generated_ = mean_generated_ == 0 ? n : mean_generated_ + kMeanRate * (n - mean_generated_);
}

}  // namespace cachalot
