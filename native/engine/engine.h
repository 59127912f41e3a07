// The loop, on its own thread: commands in, steps through the model, events out.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "engine/batch_users.h"
#include "engine/execute.h"
#include "engine/explain.h"
#include "engine/scheduler.h"
#include "model/model_files.h"

namespace cachalot {

struct EngineOptions {
  std::string device = "auto";        // "auto", "cpu", "cuda", "cuda:1", ...
  std::string cuda_library;           // its path; empty: beside the addon
  std::string instructions = "auto";  // cpu: "auto", "avx512", "avx2", "portable"
  int threads = 0;                    // 0: one per core
  int context_length = 0;             // 0: what the model was trained for
  int step_tokens = 512;              // rows of a step
  uint64_t kv_bytes = 0;  // 0: a quarter of the memory that the process can have and at most half
                          // of what is left of it, or of a GPU's what the weights leave; at most
                          // what the contexts need
  std::string kv_format = "auto";  // "auto", "f32", "bf16"
  double max_step_ms = 0;          // target for the time between tokens; 0: none
  std::string grouping = "auto";   // shared prefixes are read together: "auto", "always", "never"
  std::string costs_folder;        // where measured costs are kept; empty: nowhere
  std::string layout_path;         // weights that an earlier load has laid out; empty: none
  std::string machine;             // what tells this machine from others that use the folder
  bool reuse = true;               // false: no prompt finds anything in the cache; benchmarks
  bool check_invariants = false;   // tests: after every step
};

/** Counters since the engine was made; a snapshot. */
struct EngineStats {
  uint64_t steps, rows, prompt_tokens, cached_tokens, generated_tokens;
  int waiting, running, segments;
  uint64_t kv_bytes_in_use, kv_bytes, weight_bytes;
  uint64_t kv_bytes_not_read;  // by reading shared prefixes together
  double host_us;              // scheduling and planning, all steps
};

/** The parts of an engine, as the composition root puts them together. */
struct EngineParts {
  ModelFiles files;
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Decoder> model;
  std::unique_ptr<KvPool> pool;
  std::unique_ptr<PrefixTree> tree;
  int context_length;
  EngineOptions options;
  ExecuteOptions execute;
  std::string device_note;  // why it is not another device
};

class Engine {
 public:
  /** `sink` is called on the engine's thread, once per step and only with something to say; before
   * there is an engine, on the thread that loads it, with its progress. It must not throw. */
  Engine(EngineParts parts, std::function<void(StepEvents)> sink);
  ~Engine();  // waits for the step in flight; what is unfinished ends silently
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /** Queues a request, whose id no other that has not ended may have. Throws invalid_argument,
   * context_overflow or out_of_memory, and then nothing is queued. */
  void submit(Request request);
  /** Ends a request at the next step boundary with reason aborted; unknown ids are ignored. */
  void cancel(uint64_t id);
  /** Announces a batch: requests will name it, with ranks [0, n). `shared_with_next`: how many
   * tokens ranks i and i + 1 have in common. They are taken in the order of their ranks, and what
   * no later one shares is given up first. */
  void begin_batch(uint64_t batch, std::vector<int32_t> shared_with_next);
  /** An item that will never be submitted. Like `cancel` and `unpin` it needs no memory. */
  void skip_batch_item(uint64_t batch, int rank);
  /** Lets a pinned context go: its KV becomes ordinary cache. Unknown ids are ignored. */
  void unpin(uint64_t pin);
  /** Forgets all cached KV that no request uses and nothing pins, at the next step boundary. */
  void clear_cache();

  EngineStats stats() const;
  /** What was shared in the last steps that shared anything, oldest first. */
  std::vector<StepReport> explain() const;
  /** Where weights are: "in place" in the model's file, "in memory", "packed" there, "mapped" from
   * a layout, or "on the device". */
  std::string weights() const;
  /** Writes what weights were packed into; may run beside the loop. Throws io, or aborted once
   * `stop` is set. */
  void save_layout(const std::string& path, const std::atomic<bool>& stop) const;
  DeviceDescription device() const { return parts_.backend->device(); }
  /** Why it is not the device that was preferred; empty if it is. */
  const std::string& device_note() const { return parts_.device_note; }
  KvFormat kv_format() const { return parts_.pool->store().format; }
  size_t kv_bytes_per_token() const { return parts_.pool->run_bytes() / kTileTokens; }
  int context_length() const { return parts_.context_length; }
  const ModelConfig& config() const { return parts_.model->config(); }

 private:
  void loop();
  void take_commands(StepEvents* events);
  void run_step(StepEvents* events);
  void announce(Sequence& sequence);
  void settle(const Step& step, const StepOutcome& outcome, StepEvents* events);
  std::optional<FinishReason> settle_entry(const StepEntry& entry, const StepOutcome& outcome,
                                           size_t output, StepEvents* events);
  void deliver();
  void fail_engine(const Error& why, StepEvents* events) noexcept;
  void fail_step(const Step& step, const Error& error, StepEvents* events);
  void finish(Sequence& sequence, FinishReason reason, const Error* error, StepEvents* events);
  bool has_commands() const;
  /** Milliseconds since the engine was made: the clock of deadlines and times to live. */
  int64_t on_clock(Clock::time_point time) const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time - made_).count() + 1;
  }
  void add(std::unique_ptr<Sequence> sequence, StepEvents* events);
  void refuse(Sequence& sequence, StepEvents* events);
  void pass_time(StepEvents* events);
  void keep(const Request& request);
  void end_batch_item(uint64_t batch, int rank, const Sequence* sequence);
  void report(const Step& step, const StepOutcome& outcome, double host_us, double step_ms);
  void publish_stats();

  const Clock::time_point made_ = Clock::now();
  EngineParts parts_;
  Scheduler scheduler_;
  std::function<void(StepEvents)> sink_;
  EngineStats counters_{};  // the thread's own
  StepEvents undelivered_;  // of the step before
  struct Batch {
    uint64_t first_order;
    size_t n_items;
    BatchUsers users;
  };
  struct Pin {
    KvSegment* segment;
    int64_t ttl_ms;  // after the segment's last use; 0: until it is let go
  };
  std::map<uint64_t, Pin> pins_;
  std::map<uint64_t, Batch> batches_;

  mutable std::mutex mutex_;  // guards what follows, to the thread
  std::condition_variable wake_;
  /** A request that has not ended. Its end is made when it is submitted: whatever fails later, and
   * whoever holds its sequence then, it can be told. */
  struct OpenRequest {
    std::list<FinishEvent> end;  // one
    bool is_cancelled = false;
  };
  std::map<uint64_t, OpenRequest> open_;
  std::vector<std::unique_ptr<Sequence>> submitted_;
  // What lets go must not fail: there is room for as many as can be let go.
  std::vector<uint64_t> unpinned_;
  std::vector<std::pair<uint64_t, std::vector<int32_t>>> begun_batches_;
  std::vector<std::pair<uint64_t, int>> skipped_;
  size_t n_pins_ = 0, n_batch_items_ = 0;  // that nobody has let go
  Explanation explanation_;
  bool clear_requested_ = false, cancel_requested_ = false;
  bool stopping_ = false;
  std::optional<Error> failure_;  // once the loop has ended by itself
  EngineStats published_{};

  std::thread thread_;
};

}  // namespace cachalot
