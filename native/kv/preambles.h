// The preambles that sequences read now: their parts, held in place. One that nobody uses is let
// go: its texts are ordinary cache then, and are computed again if they are evicted. What an edit
// has left of a context stays for the next user, as long as there is memory.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "kv/edited_part.h"
#include "kv/kv_cache.h"
#include "kv/signal_reader.h"
#include "kv/slab_lists.h"

namespace cachalot {

/** An edit that was carried out. */
struct EditReport {
  EditRecipe recipe;
  int n_tokens;                // of the context
  double kept;                 // keys of a head, on average
  uint64_t bytes;              // of what is left
  double ms;                   // what it took
  std::vector<double> layers;  // keys of a head, on average, of each layer of the model
};

/** A preamble with users. Its parts are held one after the other, as their texts get stored. */
class HeldPreamble {
 public:
  HeldPreamble(TreeKey key, SlabLists& lists);

  const TreeKey& key() const { return key_; }
  bool holds(size_t part) const { return is_held_[part]; }
  /** The tokens of the parts that are held. */
  size_t n_tokens() const;
  /** The parts as a context reads them; those that are not held are empty. */
  std::span<const ContextPart> parts() const { return parts_; }
  std::span<SlabList> lists() { return lists_; }
  /** When it was used last. */
  int64_t used_ms() const { return used_ms_; }
  /** What an edit has left; null if there is none. */
  const EditedPart* edited() const {
    return edited_.empty() || is_held_.empty() || !is_held_[0] ? nullptr : edited_[0].get();
  }

 private:
  friend class Preambles;
  int n_edited_slabs() const;

  TreeKey key_;  // of the tree below it
  int n_users_ = 0;
  // When it was used last, on the clock of uses and in milliseconds; and how it is kept after that.
  uint64_t last_used_ = 0;
  int64_t used_ms_ = 0;
  KvCache::Retention retention_{};
  std::vector<bool> is_held_;
  std::vector<KvCache::HeldRange> ranges_;
  std::vector<SlabList> lists_;
  std::vector<ContextPart> parts_;
  std::vector<std::unique_ptr<EditedPart>> edited_;  // of parts that are; else null
};

class Preambles {
 public:
  /** `policies`: those that edits name; `shape`: of the model that they edit the KV of. */
  Preambles(KvCache& cache, const KvPool& pool, SlabLists& lists, Backend& backend,
            PolicyMaker policies, EditShape shape)
      : cache_(cache),
        pool_(pool),
        lists_(lists),
        backend_(backend),
        policies_(std::move(policies)),
        signals_(pool, backend, std::move(shape)) {
    cache_.reclaim_with([this](const Worth* text) { return reclaim(text); });
  }
  Preambles(const Preambles&) = delete;
  Preambles& operator=(const Preambles&) = delete;

  /** The preamble of a key; null if it has none. It stays until `leave` is called as often. */
  HeldPreamble* use(const TreeKey& key);
  /** Null is allowed. */
  void leave(HeldPreamble* held);
  /** How long what an edit has left is kept when nobody uses it. */
  void set_retention(HeldPreamble* held, const KvCache::Retention& retention) {
    held->retention_ = retention;
  }
  /** Sets the clock of times to live, which only goes forward. */
  void set_time(int64_t now_ms) { now_ms_ = now_ms; }
  /** Holds a part that is not held yet. If it is an edit of another one, that must be held.
   * `queries`: of the last rows of the part's text, or null; without them, an edit that observes
   * rows is missing, and they must be computed. Throws not_a_number if the keys are not. */
  KvCache::Hold hold(HeldPreamble* held, size_t part, const KeptQueries* queries = nullptr);
  /** Whether all parts of a preamble are held, by somebody or by nobody. */
  bool is_held(const TreeKey& key) const;
  /** Is told of each edit. */
  void tell_edits(std::function<void(EditReport)> tell) { tell_ = std::move(tell); }
  const SignalReader& signals() const { return signals_; }
  /** How much the rows of some queries read each key of a stored text: [heads, tokens]. Empty if
   * the text is not stored. */
  std::vector<float> attention(const TreeKey& key, std::span<const int32_t> tokens,
                               const KeptQueries& queries) const;
  /** Edits that were carried out so far, and the bytes of what they have left that are held. */
  uint64_t n_edits() const { return n_edits_; }
  uint64_t edited_bytes() const;

 private:
  bool reclaim(const Worth* text);
  bool is_over(const HeldPreamble& held) const;
  void touch(HeldPreamble* held);
  KvEdit decide(const KvPolicy& policy, const EditedPart::Source& source,
                const KeptQueries* queries) const;
  void report(const EditRecipe& recipe, const EditedPart& edited, int n_tokens, double ms) const;
  KvCache::Hold hold_edited(HeldPreamble* held, size_t part, const KeptQueries* queries);

  KvCache& cache_;
  const KvPool& pool_;
  SlabLists& lists_;
  Backend& backend_;
  PolicyMaker policies_;
  SignalReader signals_;
  std::function<void(EditReport)> tell_;
  std::map<TreeKey, HeldPreamble> held_;
  uint64_t n_edits_ = 0;
  int64_t now_ms_ = 0;
};

}  // namespace cachalot
