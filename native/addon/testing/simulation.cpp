// The scheduler, the radix tree and its pool without a model: a step takes the time that a cost
// model predicts. For traces that are too long for the machines at hand, and for tests of
// schedules.

#include <algorithm>

#include "addon/testing/testing.h"
#include "cpu/cpu_backend.h"
#include "schedule/batch_users.h"
#include "schedule/order_prompts.h"
#include "schedule/scheduler.h"

namespace cachalot::addon {

namespace {

/** A roofline: a step takes as long as its arithmetic or its reading, whichever is longer. */
struct CostModel {
  double weight_bytes, kv_bytes_per_token;        // read in every step; per token of context
  double operations_per_row, operations_per_key;  // of a row; of a row and a token of its context
  double bytes_per_second, operations_per_second;

  explicit CostModel(const Napi::Object& object)
      : weight_bytes(number(object, "weightBytes")),
        kv_bytes_per_token(number(object, "kvBytesPerToken")),
        operations_per_row(number(object, "operationsPerRow")),
        operations_per_key(number(object, "operationsPerKey")),
        bytes_per_second(number(object, "bytesPerSecond")),
        operations_per_second(number(object, "operationsPerSecond")) {}

  static double number(const Napi::Object& object, const char* key) {
    return object.Get(key).ToNumber().DoubleValue();
  }

  double seconds(const Step& step) const {
    double keys = 0, contexts = 0;
    for (const auto& entry : step.entries) {
      const double context = entry.sequence->n_computed() + entry.n_rows;
      keys += context * entry.n_rows;
      contexts += context;
    }
    const double operations = step.n_rows() * operations_per_row + keys * operations_per_key;
    const double bytes = weight_bytes + contexts * kv_bytes_per_token;
    return std::max(operations / operations_per_second, bytes / bytes_per_second);
  }
};

constexpr KvShape kShape[] = {{kv_layout(KvFormat::kF32, KvFormat::kF32, 2), 1, 1}};

struct Outcome {
  double seconds = 0;
  int64_t prompt_rows = 0, rows = 0, steps = 0, distinct_tokens = 0;
  int peak_slabs = 0, failed = 0;
  double host_us = 0;
  std::vector<uint64_t> ends;  // which prompts have ended, the first one first
};

class Simulation {
 public:
  Simulation(std::vector<std::vector<int32_t>> prompts, std::vector<int32_t> outputs, int n_slabs,
             const SchedulerOptions& options, const CostModel& cost)
      : prompts_(std::move(prompts)),
        outputs_(std::move(outputs)),
        sequences_(prompts_.size()),
        cost_(cost),
        backend_("portable", 1),
        kv_(backend_, kShape, static_cast<size_t>(n_slabs) * 512),
        scheduler_(kv_, options) {}

  Outcome run(bool grouped) {
    const BatchOrder order = order_prompts(prompts_, outputs_);
    outcome_.distinct_tokens = order.distinct_tokens;
    if (grouped) users_.emplace(order.shared_with_next);
    else kv_.cache.use_lru();
    const uint64_t first = scheduler_.reserve_arrivals(static_cast<int>(prompts_.size()));
    for (size_t rank = 0; rank < prompts_.size(); rank++) {
      const auto index = grouped ? static_cast<size_t>(order.order[rank]) : rank;
      add(index, rank, first + rank);
    }
    while (!scheduler_.idle()) step();
    return outcome_;
  }

 private:
  void add(size_t index, size_t rank, uint64_t arrival) {
    Sequence& sequence = sequences_[rank];
    sequence.id = index + 1;
    sequence.tokens = std::move(prompts_[index]);
    sequence.n_prompt = static_cast<int>(sequence.tokens.size());
    sequence.demand = Demand::generate(sequence.n_prompt, outputs_[index]);
    sequence.arrival = arrival;
    if (!scheduler_.add(&sequence)) end(sequence, true);
  }

  void step() {
    const auto start = Clock::now();
    const auto [step, refused] = scheduler_.plan();
    outcome_.host_us += std::chrono::duration<double, std::micro>(Clock::now() - start).count();
    for (const Sequence* sequence : refused) end(*sequence, true);
    outcome_.seconds += cost_.seconds(step);
    outcome_.steps++;
    outcome_.rows += step.n_rows();
    outcome_.peak_slabs = std::max(outcome_.peak_slabs, n_held_slabs());
    for (const auto& entry : step.entries) settle(step, entry);
  }

  void settle(const Step& step, const StepEntry& entry) {
    Sequence* sequence = entry.sequence;
    const int n_left = sequence->n_prompt - sequence->n_computed();
    outcome_.prompt_rows += std::clamp(n_left, 0, entry.n_rows);
    kv_.cache.commit(sequence->context->leaf(), step.tree(entry).tokens);
    if (entry.n_outputs == 0) return;
    sequence->append(INT32_MAX - static_cast<int32_t>(sequence->id));
    if (sequence->n_generated() < sequence->demand.max_tokens()) return;
    scheduler_.remove(sequence);
    end(*sequence, false);
  }

  void end(const Sequence& sequence, bool failed) {
    outcome_.failed += failed ? 1 : 0;
    outcome_.ends.push_back(sequence.id - 1);
    if (!users_) return;
    const auto rank = static_cast<int>(&sequence - sequences_.data());
    kv_.cache.demote({}, sequence.tokens, users_->finish(rank));
  }

  int n_held_slabs() const {
    const int64_t held = static_cast<int64_t>(kv_.pool.bytes()) - kv_.cache.available_bytes();
    return static_cast<int>(held / static_cast<int64_t>(kv_.pool.slab_bytes()));
  }

  std::vector<std::vector<int32_t>> prompts_;
  std::vector<int32_t> outputs_;
  std::vector<Sequence> sequences_;  // by rank
  CostModel cost_;
  cpu::CpuBackend backend_;
  KvMemory kv_;
  Scheduler scheduler_;
  std::optional<BatchUsers> users_;
  Outcome outcome_;
};

/** Prompts as a trace gives them: hashes of blocks. Each hash stands for a block of tokens. */
std::vector<std::vector<int32_t>> prompts_of(const Napi::Object& trace) {
  const auto lengths = integers_of(trace.Get("lengths")), hashes = integers_of(trace.Get("hashes")),
             ends = integers_of(trace.Get("hashEnds"));
  const int block = integer_of(trace.Get("blockTokens"));
  std::vector<std::vector<int32_t>> prompts;
  size_t hash = 0;
  for (size_t i = 0; i < lengths.size(); i++) {
    std::vector<int32_t> tokens;
    tokens.reserve(static_cast<size_t>(lengths[i]));
    for (; hash < static_cast<size_t>(ends[i]); hash++)
      for (int t = 0; t < block && static_cast<int>(tokens.size()) < lengths[i]; t++)
        tokens.push_back(hashes[hash] * block + t);
    prompts.push_back(std::move(tokens));
  }
  return prompts;
}

// simulate(trace, { schedule, kvTokens, stepRows, reuse }, costs): the time that a batch would take
Napi::Value simulate(const Napi::CallbackInfo& info) {
  const auto trace = info[0].As<Napi::Object>(), options = info[1].As<Napi::Object>();
  const int rows = integer_of(options.Get("stepRows"));
  Simulation simulation(prompts_of(trace), integers_of(trace.Get("outputs")),
                        integer_of(options.Get("kvTokens")) / kTileTokens,
                        {rows, std::min(rows, 256), 0, options.Get("reuse").ToBoolean()},
                        CostModel(info[2].As<Napi::Object>()));
  const Outcome outcome =
      simulation.run(options.Get("schedule").ToString().Utf8Value() == "prefix-grouped");
  auto result = Napi::Object::New(info.Env());
  const auto set = [&](const char* key, auto value) {
    result.Set(key, static_cast<double>(value));
  };
  auto ends = Napi::Array::New(info.Env(), outcome.ends.size());
  for (uint32_t i = 0; i < outcome.ends.size(); i++)
    ends.Set(i, static_cast<double>(outcome.ends[i]));
  result.Set("ends", ends);
  set("seconds", outcome.seconds);
  set("promptRows", outcome.prompt_rows);
  set("rows", outcome.rows);
  set("steps", outcome.steps);
  set("distinctTokens", outcome.distinct_tokens);
  set("peakTokens", int64_t{outcome.peak_slabs} * kTileTokens);
  set("failed", outcome.failed);
  set("hostUs", outcome.host_us / static_cast<double>(std::max<int64_t>(1, outcome.steps)));
  return result;
}

}  // namespace

void export_simulation(Napi::Env env, Napi::Object exports) {
  exports.Set("simulate", Napi::Function::New(env, simulate));
}

}  // namespace cachalot::addon
