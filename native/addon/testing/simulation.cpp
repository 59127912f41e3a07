// The scheduler, the prefix tree and its pool without a model: steps take what a cost model says
// they would. For traces whose lengths are beyond any machine at hand, and for tests of schedules.

#include <algorithm>

#include "addon/testing/testing.h"
#include "cpu/cpu_backend.h"
#include "engine/batch_users.h"
#include "engine/group_prompts.h"
#include "engine/scheduler.h"

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
      const double context = entry.sequence->n_computed() + entry.tree.size();
      keys += context * entry.tree.size();
      contexts += context;
    }
    const double operations = step.n_rows * operations_per_row + keys * operations_per_key;
    const double bytes = weight_bytes + contexts * kv_bytes_per_token;
    return std::max(operations / operations_per_second, bytes / bytes_per_second);
  }
};

struct Outcome {
  double seconds = 0;
  int64_t prompt_rows = 0, rows = 0, steps = 0, distinct_tokens = 0;
  int peak_runs = 0, failed = 0;
  double host_us = 0;
};

class Simulation {
 public:
  Simulation(std::vector<std::vector<int32_t>> prompts, std::vector<int32_t> outputs, int n_runs,
             const SchedulerOptions& options, const CostModel& cost)
      : prompts_(std::move(prompts)),
        outputs_(std::move(outputs)),
        cost_(cost),
        backend_("portable", 1),
        pool_(backend_, {KvFormat::kF32, 1, 1, 2}, static_cast<size_t>(n_runs) * 512),
        tree_(pool_, [](const KvCopy&) {}),  // there is nothing to copy
        scheduler_(tree_, pool_, options) {}

  Outcome run(bool grouped) {
    const BatchOrder order = group_prompts(prompts_, outputs_);
    outcome_.distinct_tokens = order.distinct_tokens;
    if (grouped) users_.emplace(order.shared_with_next);
    else tree_.use_lru();
    const uint64_t first = scheduler_.reserve_order(static_cast<int>(prompts_.size()));
    for (size_t rank = 0; rank < prompts_.size(); rank++) {
      const auto index = grouped ? static_cast<size_t>(order.order[rank]) : rank;
      add(index, rank, first + rank);
    }
    while (!scheduler_.idle()) step();
    return outcome_;
  }

 private:
  void add(size_t index, size_t rank, uint64_t order) {
    auto sequence = std::make_unique<Sequence>();
    sequence->request.id = index + 1;
    sequence->request.batch = 1;  // its order is given
    sequence->request.batch_rank = static_cast<int>(rank);
    sequence->request.max_tokens = outputs_[index];
    sequence->request.tokens = std::move(prompts_[index]);
    sequence->tokens = sequence->request.tokens;
    sequence->order = order;
    if (!scheduler_.add(sequence)) end(*sequence, true);
  }

  void step() {
    std::vector<std::unique_ptr<Sequence>> unserviceable;
    const auto start = Clock::now();
    const Step step = scheduler_.plan(&unserviceable);
    outcome_.host_us += std::chrono::duration<double, std::micro>(Clock::now() - start).count();
    for (const auto& sequence : unserviceable) end(*sequence, true);
    outcome_.seconds += cost_.seconds(step);
    outcome_.steps++;
    outcome_.rows += step.n_rows;
    outcome_.peak_runs = std::max(outcome_.peak_runs, pool_.n_runs() - tree_.n_available());
    for (const auto& entry : step.entries) settle(entry);
  }

  void settle(const StepEntry& entry) {
    Sequence* sequence = entry.sequence;
    const int prompt = sequence->n_prompt();
    outcome_.prompt_rows += std::clamp(prompt - sequence->n_computed(), 0, entry.tree.size());
    tree_.commit(sequence->leaf, entry.tree.tokens);
    if (entry.output_nodes.empty()) return;
    sequence->tokens.push_back(INT32_MAX - static_cast<int32_t>(sequence->request.id));
    if (sequence->n_generated() >= sequence->request.max_tokens)
      end(*scheduler_.remove(sequence), false);
  }

  void end(const Sequence& sequence, bool failed) {
    outcome_.failed += failed ? 1 : 0;
    if (!users_) return;
    const int keep = users_->finish(sequence.request.batch_rank);
    tree_.give_up("", sequence.tokens, keep);
  }

  std::vector<std::vector<int32_t>> prompts_;
  std::vector<int32_t> outputs_;
  CostModel cost_;
  cpu::CpuBackend backend_;
  KvPool pool_;
  PrefixTree tree_;
  Scheduler scheduler_;
  std::optional<BatchUsers> users_;
  Outcome outcome_;
};

/** Prompts as a trace gives them: hashes of blocks, each standing for so many tokens of its own. */
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

// simulate(trace, { schedule, kvTokens, stepRows, reuse }, costs): what a batch would take
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
  set("seconds", outcome.seconds);
  set("promptRows", outcome.prompt_rows);
  set("rows", outcome.rows);
  set("steps", outcome.steps);
  set("distinctTokens", outcome.distinct_tokens);
  set("peakTokens", int64_t{outcome.peak_runs} * kTileTokens);
  set("failed", outcome.failed);
  set("hostUs", outcome.host_us / static_cast<double>(std::max<int64_t>(1, outcome.steps)));
  return result;
}

}  // namespace

void export_simulation(Napi::Env env, Napi::Object exports) {
  exports.Set("simulate", Napi::Function::New(env, simulate));
}

}  // namespace cachalot::addon
