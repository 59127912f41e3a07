#include "engine/simulation.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/error.h"
#include "kv/memory.h"
#include "schedule/batch_users.h"
#include "schedule/order_prompts.h"
#include "schedule/scheduler.h"

namespace cachalot {

namespace {

constexpr KvShape kShape[] = {{kv_layout(KvFormat::kF32, KvFormat::kF32, 2), 1, 1}};
constexpr size_t kSlabBytes = 512;  // of that shape
constexpr int kMaxOutputs = 256;

double seconds_of(const Step& step, const SimulatedCosts& costs) {
  double keys = 0, contexts = 0;
  for (const auto& entry : step.entries) {
    const double context = entry.sequence->n_computed() + entry.n_rows;
    keys += context * entry.n_rows;
    contexts += context;
  }
  const double operations =
      step.n_rows() * costs.operations_per_row + keys * costs.operations_per_key;
  const double bytes = costs.weight_bytes + contexts * costs.kv_bytes_per_token;
  return std::max(operations / costs.operations_per_second, bytes / costs.bytes_per_second);
}

class Simulation {
 public:
  Simulation(SimulatedTrace trace, const SimulationOptions& options, const SimulatedCosts& costs,
             Backend& backend)
      : trace_(std::move(trace)),
        options_(options),
        costs_(costs),
        sequences_(trace_.prompts.size()),
        kv_(backend, kShape, static_cast<size_t>(options.n_slabs) * kSlabBytes),
        scheduler_(
            kv_, {options.step_rows, std::min(options.step_rows, kMaxOutputs), 0, options.reuses}) {
    out_.first_token.assign(sequences_.size(), -1);
    out_.ended.assign(sequences_.size(), 0);
  }

  Simulated run() {
    const BatchOrder order = order_prompts(trace_.prompts, trace_.outputs);
    out_.distinct_tokens = order.distinct_tokens;
    if (options_.is_grouped) users_.emplace(order.shared_with_next);
    else kv_.cache.use_lru();
    const uint64_t first = scheduler_.reserve_arrivals(static_cast<int>(sequences_.size()));
    for (size_t rank = 0;;) {
      if (rank < sequences_.size() && scheduler_.idle())
        out_.seconds = std::max(out_.seconds, arrival_of(rank));
      for (; rank < sequences_.size() && arrival_of(rank) <= out_.seconds; rank++)
        add(options_.is_grouped ? static_cast<size_t>(order.order[rank]) : rank, rank,
            first + rank);
      if (!scheduler_.idle()) step();
      else if (rank == sequences_.size()) return out_;
    }
  }

 private:
  double arrival_of(size_t rank) const {
    return trace_.arrivals.empty() ? 0 : trace_.arrivals[rank];
  }

  void add(size_t index, size_t rank, uint64_t arrival) {
    Sequence& sequence = sequences_[rank];
    sequence.id = index + 1;
    sequence.tokens = std::move(trace_.prompts[index]);
    sequence.n_prompt = static_cast<int>(sequence.tokens.size());
    sequence.demand = Demand::generate(sequence.n_prompt, trace_.outputs[index]);
    sequence.arrival = arrival;
    if (!scheduler_.add(&sequence)) end(sequence, true);
  }

  void step() {
    const auto start = Clock::now();
    const auto [step, refused] = scheduler_.plan();
    out_.host_us += std::chrono::duration<double, std::micro>(Clock::now() - start).count();
    for (const RefusedSequence& one : refused) end(*one.sequence, true);
    out_.seconds += seconds_of(step, costs_);
    out_.steps++;
    out_.rows += step.n_rows();
    out_.peak_slabs = std::max(out_.peak_slabs, n_held_slabs());
    for (const auto& entry : step.entries) settle(step, entry);
  }

  void settle(const Step& step, const StepEntry& entry) {
    Sequence* sequence = entry.sequence;
    const int n_left = sequence->n_prompt - sequence->n_computed();
    out_.prompt_rows += std::clamp(n_left, 0, entry.n_rows);
    kv_.cache.commit(sequence->context->leaf(), step.tokens_of(entry));
    if (entry.n_outputs == 0) return;
    if (sequence->n_generated() == 0) out_.first_token[sequence->id - 1] = out_.seconds;
    sequence->append(INT32_MAX - static_cast<int32_t>(sequence->id));
    if (sequence->n_generated() < sequence->demand.max_tokens()) return;
    scheduler_.remove(sequence);
    end(*sequence, false);
  }

  void end(const Sequence& sequence, bool failed) {
    out_.failed += failed ? 1 : 0;
    out_.ends.push_back(sequence.id - 1);
    out_.ended[sequence.id - 1] = out_.seconds;
    if (!users_) return;
    const auto rank = static_cast<int>(&sequence - sequences_.data());
    kv_.cache.demote({}, sequence.tokens, users_->finish(rank));
  }

  int n_held_slabs() const {
    const int64_t held = static_cast<int64_t>(kv_.pool.bytes()) - kv_.cache.available_bytes();
    return static_cast<int>(held / static_cast<int64_t>(kv_.pool.slab_bytes()));
  }

  SimulatedTrace trace_;
  SimulationOptions options_;
  SimulatedCosts costs_;
  std::vector<Sequence> sequences_;  // by rank
  KvMemory kv_;
  Scheduler scheduler_;
  std::optional<BatchUsers> users_;
  Simulated out_;
};

void check(const SimulatedTrace& trace, const SimulationOptions& options) {
  const auto& [prompts, outputs, arrivals] = trace;
  const bool is_sound = outputs.size() == prompts.size() &&
                        (arrivals.empty() || arrivals.size() == prompts.size()) &&
                        std::ranges::is_sorted(arrivals) && options.n_slabs > 0 &&
                        options.step_rows > 0 && !(options.is_grouped && !arrivals.empty());
  const auto is_empty = [](const auto& prompt) { return prompt.empty(); };
  const auto gives_nothing = [](int32_t n) { return n < 1; };
  if (!is_sound || std::ranges::any_of(prompts, is_empty) ||
      std::ranges::any_of(outputs, gives_nothing))
    throw Error(
        ErrorCode::kInvalidArgument,
        "expected prompts with outputs of at least 1, and arrivals in order for each or none; "
        "what is grouped arrives at once");
}

}  // namespace

Simulated simulate(SimulatedTrace trace, const SimulationOptions& options,
                   const SimulatedCosts& costs, Backend& backend) {
  check(trace, options);
  return Simulation(std::move(trace), options, costs, backend).run();
}

}  // namespace cachalot
