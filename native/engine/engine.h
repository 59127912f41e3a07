// An engine as other threads see it. A thread of its own does the work (engine/loop.h) and takes
// commands from a mailbox.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/loop.h"

namespace cachalot {

class Engine {
 public:
  /** `sink` is called on the engine's thread, once per step and only if there are events. While the
   * engine is loaded, the loading thread calls it with the progress. It must not throw. */
  Engine(EngineParts parts, std::function<void(StepEvents)> sink);
  ~Engine();  // waits for the step in flight; unfinished requests end silently
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /** Queues a request. Its id must differ from those of all requests that have not ended. Throws
   * invalid_argument, context_overflow or out_of_memory, and then nothing is queued. */
  void submit(Request request);
  /** Ends a request at the next step boundary with reason aborted; unknown ids are ignored. Like
   * `skip_batch_item` and `unpin` it needs no memory. */
  void cancel(uint64_t id);
  /** Announces a batch: requests will name it, with ranks [0, n). `shared_with_next`: how many
   * tokens ranks i and i + 1 have in common. The items are taken in the order of their ranks, and
   * KV that no later item shares is evicted first. */
  void begin_batch(uint64_t batch, std::vector<int32_t> shared_with_next);
  /** Says that an item will never be submitted. */
  void skip_batch_item(uint64_t batch, int rank);
  /** Lets a pinned context go: its KV becomes ordinary cache. Unknown ids are ignored. */
  void unpin(uint64_t pin);
  /** Forgets all cached KV that no request uses and nothing pins, at the next step boundary. */
  void clear_cache();

  EngineStats stats() const { return reports_.stats(); }
  /** Reports on the last steps that shared anything, oldest first. */
  std::vector<StepReport> explain() const { return reports_.steps(); }
  std::vector<EditReport> explain_edits() const { return reports_.edits(); }
  /** Where weights are: "in place" in the model's file, "in memory", "packed" there, "mapped" from
   * a layout, or "on the device". */
  std::string weights() const;
  /** Writes the packed weights to a file; may run beside the loop. Throws io, or aborted once
   * `stop` is set. */
  void save_layout(const std::string& path, const std::atomic<bool>& stop) const;
  DeviceDescription device() const { return parts_.backend->device(); }
  /** Why the engine does not run on the preferred device; empty if it does. */
  const std::string& device_note() const { return parts_.device_note; }
  KvFormat kv_format() const { return parts_.kv->pool.stores()[0].layout.k; }
  size_t kv_bytes_per_token() const { return parts_.kv->pool.slab_bytes() / kTileTokens; }
  int context_length() const { return parts_.context_length; }
  /** Tokens that a guide has room for; 0: there is no draft model. */
  int guide_room() const { return parts_.draft_model ? parts_.draft_model->room() : 0; }
  const ModelConfig& config() const { return parts_.model->config(); }

 private:
  const EngineParts parts_;
  Mailbox mailbox_;
  OpenRequests requests_;
  Reports reports_;
  EngineLoop loop_;
  std::thread thread_;
};

}  // namespace cachalot
