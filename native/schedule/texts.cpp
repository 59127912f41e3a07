// The texts that a sequence computes one after the other: what its preamble misses, then its own.
// The part of Scheduler that goes from one to the next.

#include <algorithm>

#include "schedule/scheduler.h"

namespace cachalot {

/** Gives a sequence the context of the text that it computes next: a part of its preamble whose
 * text is not stored, or its own. False if there is no memory. */
bool Scheduler::open_text(Sequence* sequence) {
  if (sequence->is_at_text_end()) {
    leave_text(sequence, false);
    if (sequence->cuts.stride > 0) demote_before_cut(*sequence);
    sequence->begin_next_text();
  }
  // One that was preempted may find more of its text stored than it had computed.
  if (!sequence->context && sequence->computing == nullptr) {
    while (sequence->is_past_text_end()) sequence->begin_next_text();
  }
  const bool is_part_done = sequence->computing != nullptr && sequence->n_pending() == 0;
  if (sequence->context && !is_part_done) return true;
  if (sequence->context) {
    const PreamblePart* done = sequence->computing;
    leave_text(sequence, false);
    // What that part stood on is not needed any more, unless it is itself below another part, or
    // an edit takes it in.
    const auto& parts = sequence->key.preamble->parts;
    const bool is_of_key = std::any_of(parts.begin(), parts.end(),
                                       [&](const PreamblePart& part) { return &part == done; });
    if (is_of_key && !done->edit) leave_preambles(sequence, sequence->key.preamble);
  }
  if (hold_parts(sequence, sequence->key.preamble) == KvCache::Hold::kNoMemory) return false;
  const auto& [preamble, tokens] = sequence->text();
  const bool is_own = sequence->computing == nullptr;
  if (is_own) leave_preambles(sequence, sequence->key.preamble);
  sequence->queries.reset();
  if (!is_edit_held(*sequence))
    sequence->queries = sequence->room_for_queries(kv_.preambles.signals());
  auto reusable = is_own ? static_cast<size_t>(admission_.n_reusable(*sequence)) : tokens.size();
  if (sequence->queries != nullptr)
    reusable = std::min(reusable, static_cast<size_t>(sequence->queries->first_row));
  KvSegment* leaf = kv_.cache.open({sequence->key.name_space, preamble}, tokens.first(reusable));
  sequence->context.emplace(kv_.lists, preamble == nullptr ? nullptr : held(sequence, preamble),
                            leaf);
  if (sequence->cached_tokens < 0) sequence->cached_tokens = sequence->n_computed();
  return true;
}

/** What ended two cuts ago is behind all windows, and nothing stands on it any more: it is cache
 * that is evicted first. */
void Scheduler::demote_before_cut(const Sequence& sequence) {
  const auto& last = parts_of(sequence.key.preamble);
  if (last.empty()) return;
  const auto& before = parts_of(last.back().under);
  if (before.empty()) return;
  const PreamblePart& part = before.back();
  kv_.cache.demote({sequence.key.name_space, part.under}, part.tokens, 0);
}

/** Whether another sequence has made the next edit of this one: then no row need be observed. */
bool Scheduler::is_edit_held(const Sequence& sequence) const {
  return sequence.computing == nullptr && sequence.knows_edited_text() &&
         kv_.preambles.is_held({sequence.key.name_space, sequence.preamble_after_edit()});
}

/** Holds all parts of a preamble. If the text of one is not stored, it becomes the text that the
 * sequence computes. */
KvCache::Hold Scheduler::hold_parts(Sequence* sequence, const PreambleRef& preamble) {
  sequence->computing = nullptr;
  if (preamble == nullptr) return KvCache::Hold::kHeld;
  HeldPreamble* mine = held(sequence, preamble);
  for (size_t i = 0; i < preamble->parts.size(); i++) {
    if (mine->holds(i)) continue;
    const PreamblePart& part = preamble->parts[i];
    if (part.edit) {  // of what it stands on
      const KvCache::Hold below = hold_parts(sequence, part.under);
      if (below != KvCache::Hold::kHeld) return below;
    }
    const KvCache::Hold result = kv_.preambles.hold(mine, i, sequence->queries.get());
    if (result == KvCache::Hold::kHeld) {
      if (part.edit) leave_preamble(sequence, part.under);  // what is left stands by itself
      continue;
    }
    if (result == KvCache::Hold::kNoMemory) return result;
    const KvCache::Hold below = hold_parts(sequence, part.under);
    if (below == KvCache::Hold::kHeld) sequence->computing = &part;
    return below == KvCache::Hold::kHeld ? KvCache::Hold::kMissing : below;
  }
  // What the parts were computed below is not needed any more.
  for (const PreamblePart& part : preamble->parts) leave_preamble(sequence, part.under);
  return KvCache::Hold::kHeld;
}

/** The preamble, as the sequence holds it. */
HeldPreamble* Scheduler::held(Sequence* sequence, const PreambleRef& preamble) {
  for (HeldPreamble* one : sequence->preambles) {
    if (one->key().preamble == preamble) return one;
  }
  sequence->preambles.reserve(sequence->preambles.size() + 1);  // then it cannot fail half-way
  sequence->preambles.push_back(kv_.preambles.use({sequence->key.name_space, preamble}));
  return sequence->preambles.back();
}

/** Lets a preamble go, if the sequence holds it. */
void Scheduler::leave_preamble(Sequence* sequence, const PreambleRef& preamble) {
  std::erase_if(sequence->preambles, [&](HeldPreamble* one) {
    if (preamble == nullptr || one->key().preamble != preamble) return false;
    kv_.preambles.leave(one);
    return true;
  });
}

/** Lets all preambles go but one. */
void Scheduler::leave_preambles(Sequence* sequence, const PreambleRef& but) {
  std::erase_if(sequence->preambles, [&](HeldPreamble* one) {
    if (but != nullptr && one->key().preamble == but) return false;
    kv_.preambles.leave(one);
    return true;
  });
}

/** Ends writing the text that is computed now. */
void Scheduler::leave_text(Sequence* sequence, bool discard) {
  KvSegment* leaf = sequence->context->leaf();
  if (sequence->queries != nullptr) {
    const auto& [preamble, tokens] = sequence->text();
    sequence->queries->finish(preamble, tokens.first(static_cast<size_t>(sequence->n_computed())));
  }
  sequence->context.reset();
  sequence->computing = nullptr;
  if (discard) kv_.cache.discard(leaf);
  else kv_.cache.release(leaf);
}

}  // namespace cachalot
