// Turns waiting and running sequences into steps. Decoding rows first, prompts in chunks that fill
// a budget of rows (SARATHI, Agrawal et al. 2023), as small as a target for the time between tokens
// asks; who waits is taken by priority, deadline and order, as memory allows for what it will
// probably need. Who begins as a prompt that is being computed waits for it: the same text is
// computed once. When KV memory runs short, the sequence of the lowest priority that is cheapest to
// compute again goes back to the queue; its KV stays in the tree as long as nobody needs the room.
#pragma once

#include <list>
#include <memory>
#include <vector>

#include "engine/chunk_control.h"
#include "engine/step.h"
#include "engine/waiting_queue.h"
#include "kv/prefix_tree.h"

namespace cachalot {

struct SchedulerOptions {
  int max_rows;            // rows of a step
  int max_outputs;         // rows of a step whose logits are computed
  double max_step_ms = 0;  // target for steps in which somebody decodes; 0: none
  bool reuse = true;       // false: every prompt is computed whole, for measurements
};

class Scheduler {
 public:
  Scheduler(PrefixTree& tree, const KvPool& pool, const SchedulerOptions& options)
      : tree_(tree), pool_(pool), options_(options), chunk_(options.max_step_ms) {}

  /** False, and the sequence is left, if it can never run: its prompt needs more KV than there is.
   */
  bool add(std::unique_ptr<Sequence>& sequence);
  /** Places in the order of arrival for so many sequences that will come; returns the first. */
  uint64_t reserve_order(int n) {
    next_order_ += static_cast<uint64_t>(n);
    return next_order_ - static_cast<uint64_t>(n);
  }
  bool idle() const { return waiting_.empty() && running_.empty(); }
  int n_waiting() const { return waiting_.size(); }
  int n_running() const { return static_cast<int>(running_.size()); }
  /** Null if there is no such sequence. */
  Sequence* find(uint64_t id);
  /** A clock that only goes forward; deadlines and times to live are read against it. */
  void set_time(int64_t now_ms);
  /** Those whose deadline has passed, taken out. */
  std::vector<std::unique_ptr<Sequence>> take_expired();

  /** Plans the next step and reserves its memory. Requests that can never run are moved to
   * `unserviceable`. */
  Step plan(std::vector<std::unique_ptr<Sequence>>* unserviceable);
  /** What the step took. */
  void learn(const Step& step, double ms) {
    chunk_.learn(step.n_decoding, step.n_rows - step.n_decoding, ms);
  }

  /** Throws internal if a rule is broken: test builds call it after every step. */
  void check_invariants() const;

  /** Takes a sequence out, its leaf released (or, if its KV cannot be trusted, discarded). */
  std::unique_ptr<Sequence> remove(Sequence* sequence, bool discard = false);

 private:
  using Running = std::list<std::unique_ptr<Sequence>>;
  enum class Verdict { kAdmitted, kDeferred, kNoRoom };
  bool add_entry(Step* step, Sequence* sequence);
  int wanted_rows(const Step& step, const Sequence& sequence) const;
  void add_outputs(Step* step, StepEntry* entry) const;
  bool reserve(Sequence* sequence, int n);
  Sequence* cheapest(const Step& step, int below_priority) const;
  void send_back(Sequence* sequence, std::vector<std::unique_ptr<Sequence>>* unserviceable);
  void close(Sequence* sequence, bool discard);
  void make_room();
  void admit_all(Step* step, std::vector<std::unique_ptr<Sequence>>* unserviceable);
  Verdict judge(const Step& step, const Sequence& next) const;
  int missing_runs(const Sequence& next) const;
  std::span<const int32_t> reusable(const Sequence& sequence) const;
  void admit(Step* step, std::unique_ptr<Sequence> next,
             std::vector<std::unique_ptr<Sequence>>* unserviceable);
  bool is_being_computed(const Sequence& next, int stored) const;
  int expected_runs(const Sequence& sequence) const;
  std::unique_ptr<Sequence> take_out(Sequence* sequence, bool discard);

  PrefixTree& tree_;
  const KvPool& pool_;
  SchedulerOptions options_;
  ChunkControl chunk_;
  WaitingQueue waiting_;
  Running running_;  // in order of admission
  uint64_t next_order_ = 0;
  int64_t now_ms_ = 0;
  int n_deadlines_ = 0;        // of the sequences here
  double mean_generated_ = 0;  // tokens, of those that have ended
};

}  // namespace cachalot
