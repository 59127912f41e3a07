// Turns waiting and running sequences into steps: first come, first served, decoding rows first,
// prompts in chunks that fill a budget of rows (SARATHI, Agrawal et al. 2023). When KV memory runs
// short, the sequence that began last goes back to the queue; its KV stays in the tree as long as
// nobody needs the room.
#pragma once

#include <deque>
#include <list>
#include <memory>
#include <vector>

#include "engine/step.h"
#include "kv/prefix_tree.h"

namespace cachalot {

struct SchedulerOptions {
  int max_rows;     // rows of a step
  int max_outputs;  // rows of a step whose logits are computed
};

class Scheduler {
 public:
  Scheduler(PrefixTree& tree, const KvPool& pool, const SchedulerOptions& options)
      : tree_(tree), pool_(pool), options_(options) {}

  void add(std::unique_ptr<Sequence> sequence) { waiting_.push_back(std::move(sequence)); }
  bool idle() const { return waiting_.empty() && running_.empty(); }
  int n_waiting() const { return static_cast<int>(waiting_.size()); }
  int n_running() const { return static_cast<int>(running_.size()); }
  /** Null if there is no such sequence. */
  Sequence* find(uint64_t id);

  /** Plans the next step and reserves its memory. Requests that can never run are moved to
   * `unserviceable`. */
  Step plan(std::vector<std::unique_ptr<Sequence>>* unserviceable);

  /** Throws internal if a rule is broken: test builds call it after every step. */
  void check_invariants() const;

  /** Gives all sequences up without touching the tree: the engine has failed. */
  std::vector<std::unique_ptr<Sequence>> abandon();
  bool abandoned() const { return abandoned_; }

  /** Takes a sequence out, its leaf released (or, if its KV cannot be trusted, discarded). */
  std::unique_ptr<Sequence> remove(Sequence* sequence, bool discard = false);

 private:
  using Running = std::list<std::unique_ptr<Sequence>>;
  bool add_entry(Step* step, Sequence* sequence);
  int wanted_rows(const Step& step, const Sequence& sequence) const;
  void add_outputs(Step* step, StepEntry* entry) const;
  bool reserve(Sequence* sequence, int n);
  bool preempt_last(const Step& step, const Sequence* except);
  void send_back(Sequence* sequence, std::vector<std::unique_ptr<Sequence>>* unserviceable);
  void close(Sequence* sequence, bool discard);
  bool admit(Step* step, std::vector<std::unique_ptr<Sequence>>* unserviceable);

  PrefixTree& tree_;
  const KvPool& pool_;
  SchedulerOptions options_;
  std::deque<std::unique_ptr<Sequence>> waiting_;
  Running running_;  // in order of admission
  bool abandoned_ = false;
};

}  // namespace cachalot
