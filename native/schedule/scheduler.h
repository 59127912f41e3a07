// Turns waiting and running sequences into steps. Decoding rows come first, then prompts in chunks
// that fill a budget of rows (SARATHI, Agrawal et al. 2023); a target for the time between tokens
// makes chunks smaller. A long prompt leaves room in a step for short ones, which so need not wait
// until it ends. Waiting sequences are taken by priority, deadline and arrival, as far as
// memory allows for what they will probably need. A sequence whose prompt begins with text that
// another one is computing waits for that KV, so that equal text is computed once. When KV memory
// runs short, the sequence of the lowest priority that is cheapest to compute again is preempted:
// it goes back to the queue, and its KV stays in the tree until the room is needed. Sequences that
// decode may try guesses of their next tokens in rows that are left (schedule/drafting/).
#pragma once

#include <functional>
#include <limits>
#include <optional>
#include <vector>

#include "base/error.h"
#include "kv/memory.h"
#include "schedule/admission.h"
#include "schedule/chunk_control.h"
#include "schedule/drafting/drafting.h"
#include "schedule/guide_queue.h"
#include "schedule/step.h"
#include "schedule/waiting_queue.h"

namespace cachalot {

struct SchedulerOptions {
  int max_rows;            // rows of a step
  int max_outputs;         // rows of a step whose logits are computed
  double max_step_ms = 0;  // target for steps that decode; 0: none
  bool reuse = true;       // false: every prompt is computed whole, for measurements
  int layer_window = 0;    // the most positions that any layer reads; 0: some layer reads all
  SpeculatorMaker speculators{};  // of a sequence that wants guesses; null: nothing is guessed
  ModelGuesser* draft_model = nullptr;  // null: there is none
  bool always_drafts = false;           // tests: whatever it costs
};

/** One that cannot run. */
struct RefusedSequence {
  Sequence* sequence;
  std::optional<Error> error;  // if it is not that there is too little memory
};

/** A step whose memory is reserved, and the sequences that have left because they cannot run. */
struct PlannedStep {
  Step step;
  std::vector<RefusedSequence> refused;
};

/** Sequences belong to the caller and stay where they are until `remove` or until they are refused
 * or expired. */
class Scheduler {
 public:
  Scheduler(KvMemory& kv, const SchedulerOptions& options)
      : kv_(kv),
        options_(options),
        admission_(kv, options.reuse),
        chunk_(options.max_step_ms),
        drafting_(options.speculators, options.draft_model, options.always_drafts) {}

  /** False if it can never run: its prompt needs more KV than there is. */
  bool add(Sequence* sequence);
  /** Reserves places in the order of arrival for n sequences that will come. Returns the first. */
  uint64_t reserve_arrivals(int n) {
    next_arrival_ += static_cast<uint64_t>(n);
    return next_arrival_ - static_cast<uint64_t>(n);
  }
  bool idle() const { return waiting_.empty() && running_.empty() && guides_.empty(); }
  int n_running() const { return static_cast<int>(running_.size()); }
  /** Sets the clock of deadlines and times to live, which only goes forward. */
  void set_time(int64_t now_ms);
  /** Takes out the sequences whose deadline has passed. */
  std::vector<Sequence*> take_expired();

  PlannedStep plan();
  /** Learns that a step took so long. */
  void learn(const Step& step, double ms);
  /** Keeps the KV of an entry's rows, and of the rows of the guesses that were right: those up to
   * `node` of its draft (-1: none). `clears`: rows of it that are dropped are no numbers. */
  void commit(Step* step, const StepEntry& entry, int node = -1, bool clears = false);
  /** Learns what a step has shown of a sequence, and which tokens were drawn. */
  void observe(Sequence* sequence, const Verified& step, std::span<const int32_t> drawn) {
    drafting_.observe(sequence, step, drawn);
  }
  /** Takes a sequence out. Its leaf is released or, if its KV cannot be trusted, discarded. */
  void remove(Sequence* sequence, bool discard = false);

  /** A sequence that has guessed has ended. */
  void forget_guesses(uint64_t id) { drafting_.forget(id); }

  /** Throws internal if a rule is broken: test builds call it after every step. */
  void check_invariants() const;

 private:
  static constexpr int kNoLimit = std::numeric_limits<int>::max();

  void make_room();
  void add_running(PlannedStep* planned);
  using Try = std::function<bool()>;  // false: there is no memory
  std::optional<bool> attempt(PlannedStep* planned, Sequence* sequence, const Try& what);
  bool with_memory(PlannedStep* planned, Sequence* sequence, const Try& what);
  void admit_all(PlannedStep* planned);
  bool admit(PlannedStep* planned, Sequence* sequence);
  bool add_entry(Step* step, Sequence* sequence, int most_rows = kNoLimit);
  int n_rows_for(const Step& step, const Sequence& sequence, int most_rows) const;
  void add_prompts(PlannedStep* planned);
  void add_drafts(Step* step);
  void read_for_guides();
  bool has_lost_guide(Sequence* sequence);
  void forget_guide(Sequence* sequence);
  bool add_draft(Step* step, const Drafting::Candidate& candidate, TokenTree tree,
                 std::vector<KvCopy>* copies);
  int choose_short_prompts(const Step& step);
  int n_prompt_rows(const Step& step, int depth) const;
  int rows_within_window(const Sequence& sequence) const;
  bool free_behind_windows();
  bool open_text(Sequence* sequence);
  void demote_before_cut(const Sequence& sequence);
  bool is_edit_held(const Sequence& sequence) const;
  KvCache::Hold hold_parts(Sequence* sequence, const PreambleRef& preamble);
  HeldPreamble* held(Sequence* sequence, const PreambleRef& preamble);
  void leave_text(Sequence* sequence, bool discard);
  void leave_preamble(Sequence* sequence, const PreambleRef& preamble);
  void leave_preambles(Sequence* sequence, const PreambleRef& but);
  Sequence* choose_victim(const Step& step, int below_priority) const;
  void preempt(Sequence* sequence);
  void queue(Sequence* sequence);
  void preempt_or_refuse(Sequence* sequence, std::vector<RefusedSequence>* refused);
  void take_out(Sequence* sequence, bool discard);

  KvMemory& kv_;
  SchedulerOptions options_;
  Admission admission_;
  ChunkControl chunk_;
  Drafting drafting_;
  WaitingQueue waiting_;
  GuideQueue guides_;
  RunningSequences running_;
  std::vector<Sequence*> decoding_, prompts_;  // of add_running
  struct {
    std::vector<Sequence*> running, waiting;
  } short_;  // of add_prompts
  uint64_t next_arrival_ = 0;
  int64_t now_ms_ = 0;
  int n_deadlines_ = 0;  // sequences here that have a deadline
};

}  // namespace cachalot
