// Clocks of the ops that make blocks of edited parts, and of those that say what an edit asks.

#include <cmath>

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

/** A text of all layers, and what is asked of its keys. */
class Asked {
 public:
  // { layers, kvHeads, headDim, keys, signal, heads, rows, chunk, stride }
  Asked(Backend& backend, const Napi::Object& shape) {
    const auto number = [&](const char* name) { return integer_of(shape.Get(name)); };
    const KvFormat format = backend.preferred_kv_format();
    params_.plain = {nullptr, kv_layout(format, format, number("headDim")), number("layers"),
                     number("kvHeads")};
    params_.n_text = params_.n_keys = number("keys");
    const auto n_heads = static_cast<uint32_t>(params_.plain.n_layers * params_.plain.n_kv_heads);
    for (int i = 0; i * kTileTokens < params_.n_text; i++)
      slabs_.push_back(static_cast<uint32_t>(i) * n_heads * params_.plain.layout.block_units);
    params_.slabs = slabs_;
    memory_ = backend.allocate(slabs_.size() * n_heads * kv_block_bytes(params_.plain.layout));
    memory_->fill(0, memory_->size(), 0x3e);  // numbers of ordinary size
    params_.plain.base = memory_->data();
    const std::string signal = shape.Get("signal").ToString();
    params_.signal = signal == "attention" ? KeySignal::kAttention
                     : signal == "norm"    ? KeySignal::kNorm
                                           : KeySignal::kMatch;
    params_.n_heads = number("heads");
    params_.n_rows = number("rows");
    params_.first_row = params_.n_text - params_.n_rows;
    params_.layer_stride = int64_t{params_.n_rows} * params_.n_heads * number("headDim");
    queries_ = std::make_unique<DeviceFloats>(
        backend, waves(static_cast<size_t>(params_.plain.n_layers * params_.layer_stride)));
    params_.queries = queries_->data();
    params_.scale = 1.0f / std::sqrt(static_cast<float>(number("headDim")));
    params_.match = {0, 0, number("chunk"), number("stride")};
    out_.resize(n_heads * static_cast<size_t>(n_planes(params_.signal) * params_.n_keys));
    params_.out = out_.data();
  }

  const KvSignalParams& params() const { return params_; }

 private:
  KvSignalParams params_{};
  std::vector<uint32_t> slabs_;
  std::unique_ptr<Buffer> memory_;
  std::unique_ptr<DeviceFloats> queries_;
  std::vector<float> out_;
};

// timeKvSignal(path, threads, { layers, kvHeads, headDim, keys, signal, heads, rows, chunk, stride
// }): microseconds
Napi::Value time_kv_signal(const Napi::CallbackInfo& info) {
  const auto backend = backend_of(info);
  const Asked asked(*backend, info[2].As<Napi::Object>());
  return time_calls(info.Env(), *backend, {}, [&](int) { backend->kv_signal(asked.params()); });
}

// timeKeepQueries(path, threads, rows, heads, headDim): microseconds of one layer
Napi::Value time_keep_queries(const Napi::CallbackInfo& info) {
  const auto backend = backend_of(info);
  const int n_rows = integer_of(info[2]), n_heads = integer_of(info[3]);
  const int head_dim = integer_of(info[4]), width = n_heads * head_dim;
  const DeviceFloats q(*backend, waves(static_cast<size_t>(n_rows * width)));
  const DeviceFloats out(*backend, q.size());
  const DeviceFloats angles(*backend, waves(static_cast<size_t>(n_rows * head_dim / 2)));
  std::vector<KeptRow> kept;
  for (int i = 0; i < n_rows; i++) kept.push_back({out.data() + i * width, n_rows * width, i, i});
  const RopeTable rope{angles.data(), angles.data(), head_dim, 1};
  return time_calls(info.Env(), *backend, {.kept_rows = kept}, [&](int) {
    backend->keep_queries({rope, 0, n_heads, head_dim, q.data()});
  });
}

}  // namespace

void export_timed_edits(Napi::Env env, Napi::Object exports) {
  exports.Set("timeKvGather", Napi::Function::New(env, time_kv_gather));
  exports.Set("timeKvMerge", Napi::Function::New(env, time_kv_merge));
  exports.Set("timeKvSignal", Napi::Function::New(env, time_kv_signal));
  exports.Set("timeKeepQueries", Napi::Function::New(env, time_keep_queries));
}

}  // namespace cachalot::addon
