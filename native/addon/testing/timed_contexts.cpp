// Clocks of the ops of attention.

#include <algorithm>
#include <cmath>

#include "addon/testing/timing.h"
#include "attention/plan.h"
#include "kv/pool.h"

namespace cachalot::addon {

namespace {

/** Contexts of `sequences` of one length, in enough layers to be larger than the caches. */
class Contexts {
 public:
  Contexts(Backend& backend, const Napi::Object& shape)
      : n_heads_(integer_of(shape.Get("heads"))),
        n_kv_heads_(integer_of(shape.Get("kvHeads"))),
        head_dim_(integer_of(shape.Get("headDim"))),
        n_rows_(integer_of(shape.Get("rows"))),
        n_tokens_(integer_of(shape.Get("context"))),
        n_sequences_(integer_of(shape.Get("sequences"))),
        backend_(backend),
        format_(backend.preferred_kv_format()) {
    const int64_t token_bytes =
        2 * n_kv_heads_ * head_dim_ * static_cast<int64_t>(kv_element_bytes(format_));
    const int64_t layer_bytes = token_bytes * n_tokens_ * n_sequences_;
    n_layers_ = static_cast<int>(std::min<int64_t>(kBeyondCaches / layer_bytes + 1, 1024));
    const KvShape kv{kv_layout(format_, format_, head_dim_), n_layers_, n_kv_heads_};
    pool_ = std::make_unique<KvPool>(backend, std::span(&kv, 1),
                                     static_cast<size_t>(2 * layer_bytes * n_layers_ + (8 << 20)));
    angles_ = floats(static_cast<size_t>(n_tokens_ * head_dim_ / 2));
    for (int i = 0; i < n_sequences_; i++) fill();
    for (int i = 0; i < n_sequences_ * n_rows_; i++)
      rows_.push_back({i, n_tokens_ - n_rows_ + i % n_rows_});
    for (size_t i = 0; i < parts_.size(); i++) {
      const auto n = static_cast<size_t>(n_rows_);
      sequences_.push_back({std::span(parts_).subspan(i, 1), std::span(rows_).subspan(i * n, n)});
    }
    q_ = floats(static_cast<size_t>(n_sequences_ * n_rows_ * n_heads_ * head_dim_));
    out_ = floats(q_->size());
    plan_ = plan_attention(sequences_, {slabs_},
                           {{n_heads_ / n_kv_heads_, n_kv_heads_, backend.parallelism()},
                            0,
                            store(),
                            Grouping::kNever,
                            nullptr});
    partials_ = floats(static_cast<size_t>(plan_.n_partials * n_heads_ * (head_dim_ + 2)));
  }

  /** The tables of a step over these contexts. */
  StepTables tables() {
    all_ = {0, static_cast<uint32_t>(slabs_.size())};
    return {.targets = targets_,
            .slabs = slabs_,
            .new_slabs = std::span(&all_, 1),
            .plans = std::span(&plan_, 1)};
  }

  void attend(int call) {
    const float scale = 1.0f / std::sqrt(static_cast<float>(head_dim_));
    backend_.attention({rope(), call % n_layers_, n_heads_, n_kv_heads_, head_dim_, format_, scale,
                        q_->data(), 0, partials_->data()});
    backend_.attention_merge({0, partials_->data(), n_heads_, head_dim_, out_->data()});
  }

  /** The keys and values of each sequence's rows. */
  void write(int call) {
    backend_.kv_write({store(), rope(), call % n_layers_, k_->data(), k_->data()});
  }

 private:
  std::unique_ptr<DeviceFloats> floats(size_t n) {
    return std::make_unique<DeviceFloats>(backend_, waves(n));
  }
  const KvStore& store() const { return pool_->stores()[0]; }
  RopeTable rope() const { return {angles_->data(), angles_->data(), head_dim_, 1}; }

  void fill() {
    std::vector<KvTarget> targets;
    parts_.push_back({{store(), static_cast<uint32_t>(slabs_.size())}, 0, n_tokens_, 0, 0});
    for (int i = 0; i < n_tokens_; i++) {
      if (i % kTileTokens == 0) slabs_.push_back(*pool_->allocate());
      targets.push_back({slabs_.back(), i % kTileTokens, i, i});
    }
    const int most_rows = std::max(n_tokens_, n_sequences_ * n_rows_);
    if (k_ == nullptr) k_ = floats(static_cast<size_t>(most_rows * n_kv_heads_ * head_dim_));
    backend_.begin_step({.targets = targets});
    for (int layer = 0; layer < n_layers_; layer++)
      backend_.kv_write({store(), rope(), layer, k_->data(), k_->data()});
    backend_.wait();
    for (auto target = targets.end() - n_rows_; target != targets.end(); ++target) {
      target->row = static_cast<int32_t>(targets_.size());
      targets_.push_back(*target);
    }
  }

  int n_heads_, n_kv_heads_, head_dim_, n_rows_, n_tokens_, n_sequences_, n_layers_;
  Backend& backend_;
  KvFormat format_;
  std::unique_ptr<KvPool> pool_;
  std::unique_ptr<DeviceFloats> angles_, k_, q_, out_, partials_;
  std::vector<uint32_t> slabs_;  // the step's list
  SlabRange all_{};
  std::vector<KvTarget> targets_;
  std::vector<ContextPart> parts_;
  std::vector<PlanRow> rows_;
  std::vector<PlanSequence> sequences_;
  AttentionPlan plan_;
};

// timeAttention(path, threads, { heads, kvHeads, headDim, rows, context, sequences }): microseconds
// of one layer
Napi::Value time_attention(const Napi::CallbackInfo& info) {
  const auto made = backend_of(info);
  Backend& backend = *made;
  Contexts contexts(backend, info[2].As<Napi::Object>());
  return time_calls(info.Env(), backend, contexts.tables(),
                    [&](int call) { contexts.attend(call); });
}

// timeKvWrite(path, threads, as above): microseconds of one layer
Napi::Value time_kv_write(const Napi::CallbackInfo& info) {
  const auto made = backend_of(info);
  Backend& backend = *made;
  Contexts contexts(backend, info[2].As<Napi::Object>());
  return time_calls(info.Env(), backend, contexts.tables(),
                    [&](int call) { contexts.write(call); });
}

// timeKvCopy(path, threads, { layers, kvHeads, headDim, copies }): microseconds of copies of 31
// tokens
Napi::Value time_kv_copy(const Napi::CallbackInfo& info) {
  const auto made = backend_of(info);
  Backend& backend = *made;
  const auto shape = info[2].As<Napi::Object>();
  const KvFormat format = backend.preferred_kv_format();
  KvStore store{nullptr, kv_layout(format, format, integer_of(shape.Get("headDim"))),
                integer_of(shape.Get("layers")), integer_of(shape.Get("kvHeads"))};
  const int n_copies = integer_of(shape.Get("copies"));
  const uint32_t units =
      store.layout.block_units * static_cast<uint32_t>(store.n_layers * store.n_kv_heads);
  const auto memory =
      backend.allocate(size_t{2} * static_cast<size_t>(n_copies) * units * kKvAddressUnit);
  store.base = memory->data();
  std::vector<KvCopy> copies;
  for (uint32_t i = 0; i < static_cast<uint32_t>(n_copies); i++)
    copies.push_back({2 * i * units, (2 * i + 1) * units, 0, kTileTokens - 1});
  return time_calls(info.Env(), backend, {}, [&](int) {
    backend.kv_copy({std::span(&store, 1), copies});
  });
}

// timeAttentionMerge(path, threads, { heads, headDim, rows, partials }): microseconds, with that
// number of partials for each row
Napi::Value time_attention_merge(const Napi::CallbackInfo& info) {
  const auto made = backend_of(info);
  Backend& backend = *made;
  const auto shape = info[2].As<Napi::Object>();
  const int n_heads = integer_of(shape.Get("heads")), head_dim = integer_of(shape.Get("headDim")),
            n_rows = integer_of(shape.Get("rows")), n_partials = integer_of(shape.Get("partials"));
  AttentionPlan plan;
  plan.n_partials = n_rows * n_partials;
  plan.merge_begin = {0};
  for (int row = 0; row < n_rows; row++) {
    for (int i = 0; i < n_partials; i++)
      plan.merge_entries.push_back({row * n_partials + i, i * kSpanTokens / kSpanGroupTokens, -1});
    plan.merge_begin.push_back(static_cast<int32_t>(plan.merge_entries.size()));
  }
  const DeviceFloats partials(
      backend, waves(static_cast<size_t>(plan.n_partials * n_heads * (head_dim + 2))));
  const DeviceFloats out(backend, static_cast<size_t>(n_rows * n_heads * head_dim));
  return time_calls(info.Env(), backend, {.plans = std::span(&plan, 1)}, [&](int) {
    backend.attention_merge({0, partials.data(), n_heads, head_dim, out.data()});
  });
}

}  // namespace

void export_timed_contexts(Napi::Env env, Napi::Object exports) {
  exports.Set("timeAttention", Napi::Function::New(env, time_attention));
  exports.Set("timeKvWrite", Napi::Function::New(env, time_kv_write));
  exports.Set("timeKvCopy", Napi::Function::New(env, time_kv_copy));
  exports.Set("timeAttentionMerge", Napi::Function::New(env, time_attention_merge));
}

}  // namespace cachalot::addon
