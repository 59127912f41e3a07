// A smaller model with the same vocabulary that guesses what the engine's model will draw. It draws
// with the same noise, so the two agree as often as their distributions allow. Its KV is a cache of
// its own: a wrong guess is taken back by finding the text's longest stored prefix again. As a
// guide (schedule/drafting/guide.h) it reads another text in place of the prompt.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include "engine/active_request.h"
#include "engine/execute.h"
#include "kv/memory.h"
#include "schedule/drafting/model_guesser.h"

namespace cachalot {

class DraftModel final : public ModelGuesser {
 public:
  /** `kv_bytes`: for its keys and values; `lists`: of the engine's memory. */
  DraftModel(std::unique_ptr<Decoder> decoder, Backend& backend, std::span<const KvShape> shapes,
             int context_length, size_t kv_bytes, SlabLists& lists)
      : decoder_(std::move(decoder)),
        backend_(backend),
        context_length_(context_length),
        kv_(backend, shapes, kv_bytes, {}, {}, &lists) {}

  bool guess(std::span<Sequence* const> sequences, int depth) override;
  void guide(std::span<const GuideTask> tasks) override;
  int read(Sequence* sequence, int most_rows) override;
  int n_missing(Sequence* sequence) override;
  int64_t memory_tokens() const override {
    return static_cast<int64_t>(kv_.pool.bytes() / kv_.pool.slab_bytes()) * kTileTokens;
  }
  void forget(uint64_t id) override;
  /** Tokens that one text has room for. */
  int room() const { return static_cast<int>(std::min<int64_t>(context_length_, memory_tokens())); }
  /** Forgets the KV that it has. */
  void clear() { kv_.cache.clear(); }
  /** Between steps. Throws internal if a rule is broken. */
  void check_invariants() const { kv_.cache.check_invariants(); }

 private:
  /** A sequence as this model sees it. */
  struct Shadow {
    ActiveRequest active;
    size_t n_known = 0;  // tokens that are the sequence's, not guesses
    size_t n_own = 0;    // tokens before these: a guide's context
    Sequence* of = nullptr;
    KvSegment* held = nullptr;  // of a guide: what it has read stays
    int node = -1;              // the last guess in the tree of `of`
    int n_left = 0;             // tokens to draw
  };
  using Shadows = std::vector<Shadow*>;

  Shadow* shadow_of(Sequence* sequence);
  Shadow* open(Sequence* sequence, int n_tokens);
  void abandon();
  void close(Shadows* shadows);
  int run(Shadows* shadows, int most_rows);
  bool add_rows(Shadow* shadow, int most_rows, Step* step);
  void take(const StepEntry& entry, const StepOutcome& outcome, Shadow* shadow) const;
  void add_siblings(const Shadow& shadow, int32_t drawn, std::span<const SampledToken> top) const;
  int guide_some(std::span<const GuideTask> tasks);
  void hold(Shadow* shadow);
  void let_go(Shadow* shadow);
  void make_all_room();

  std::unique_ptr<Decoder> decoder_;
  Backend& backend_;
  int context_length_;
  KvMemory kv_;
  std::map<uint64_t, std::unique_ptr<Shadow>> shadows_;
};

}  // namespace cachalot
