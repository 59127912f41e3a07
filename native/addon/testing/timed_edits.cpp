// Clocks of the ops that make blocks of edited parts.

#include "addon/testing/timing.h"

namespace cachalot::addon {

namespace {

/** One plain slab of all heads for every 32 keys of each head, and edited blocks for half of them:
 * every second key is kept. */
class Edit {
 public:
  // { layers, kvHeads, headDim, keys }: keys that each head keeps, a multiple of 32
  Edit(Backend& backend, const Napi::Object& shape) {
    const KvFormat format = backend.preferred_kv_format();
    const int head_dim = integer_of(shape.Get("headDim")), n_keys = integer_of(shape.Get("keys"));
    plain_ = {nullptr, kv_layout(format, format, head_dim), integer_of(shape.Get("layers")),
              integer_of(shape.Get("kvHeads"))};
    edited_ = plain_;
    edited_.layout = kv_layout(format, format, head_dim, KvBlockKind::kEdited);
    const int n_heads = plain_.n_layers * plain_.n_kv_heads, n_blocks = n_keys / kTileTokens;
    const auto total = static_cast<size_t>(n_heads * n_blocks);
    plain_memory_ = backend.allocate(2 * total * kv_block_bytes(plain_.layout));
    edited_memory_ = backend.allocate(total * kv_block_bytes(edited_.layout));
    plain_.base = plain_memory_->data();
    edited_.base = edited_memory_->data();
    for (int head = 0; head < n_heads; head++) {
      for (int key = 0; key < n_keys; key++)
        moves_.push_back({place(2 * key, head, n_heads),
                          static_cast<uint32_t>(head * n_blocks + key / kTileTokens) *
                              edited_.layout.block_units,
                          key % kTileTokens, 2 * key, 0});
    }
    for (const KvMove& move : moves_) {
      merges_.push_back({move.to, move.slot, static_cast<int32_t>(sources_.size()), 2});
      sources_.push_back({move.from, 0.5f});
      sources_.push_back({{move.from.block, move.from.slot + 1, 0}, 0.5f});
    }
  }

  KvGatherParams gather() const { return {plain_, edited_, moves_}; }
  KvMergeParams merge() const { return {plain_, edited_, merges_, sources_}; }

 private:
  KvPlace place(int key, int head, int n_heads) const {
    return {static_cast<uint32_t>(key / kTileTokens * n_heads + head) * plain_.layout.block_units,
            key % kTileTokens, 0};
  }

  KvStore plain_, edited_;
  std::unique_ptr<Buffer> plain_memory_, edited_memory_;
  std::vector<KvMove> moves_;
  std::vector<KvMerge> merges_;
  std::vector<KvMergeSource> sources_;
};

// timeKvGather(path, threads, { layers, kvHeads, headDim, keys }): microseconds
Napi::Value time_kv_gather(const Napi::CallbackInfo& info) {
  const auto backend = backend_of(info);
  const Edit edit(*backend, info[2].As<Napi::Object>());
  return time_calls(info.Env(), *backend, {}, [&](int) { backend->kv_gather(edit.gather()); });
}

// timeKvMerge(path, threads, { layers, kvHeads, headDim, keys }): microseconds, of two sources each
Napi::Value time_kv_merge(const Napi::CallbackInfo& info) {
  const auto backend = backend_of(info);
  const Edit edit(*backend, info[2].As<Napi::Object>());
  return time_calls(info.Env(), *backend, {}, [&](int) { backend->kv_merge(edit.merge()); });
}

}  // namespace

void export_timed_edits(Napi::Env env, Napi::Object exports) {
  exports.Set("timeKvGather", Napi::Function::New(env, time_kv_gather));
  exports.Set("timeKvMerge", Napi::Function::New(env, time_kv_merge));
}

}  // namespace cachalot::addon
