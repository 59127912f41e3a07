// How long one op takes, for the benchmarks of kernels. Weights and KV are there several times, so
// that what is read comes from memory, as in a model; the best of several runs counts, because
// others on the machine only add.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>

#include "addon/testing/device.h"
#include "attention/plan.h"
#include "kv/pool.h"

namespace cachalot::addon {

namespace {

constexpr int kRuns = 7;
constexpr double kRunUs = 20'000;
constexpr int64_t kBeyondCaches = 256 << 20;

double now_us() {
  return std::chrono::duration<double, std::micro>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

constexpr int kCallsPerStep = 32;  // of a device, whose steps cost some microseconds of their own

/** Microseconds of one call; `work(i)` is to take another copy of its data for each i. A device
 * gets the calls of a run as steps, with these tables. */
Napi::Value time_calls(Napi::Env env, Backend& backend, const StepTables& tables,
                       const std::function<void(int)>& work) {
  const int per_step = backend.is_async() ? kCallsPerStep : 1;
  const auto step = [&] {
    backend.begin_step(tables);
    for (int i = 0; i < per_step; i++) work(i);
    backend.wait();
  };
  backend.begin_step(tables);
  int calls = 0;
  const auto plain = [&] { work(calls++); };
  const auto run = [&](int n) {
    for (int i = 0; i < n; i++) per_step == 1 ? plain() : step();
  };
  run(per_step == 1 ? 1 : 2);  // a device captures a step that it sees again
  const double first = now_us();
  run(1);
  const int per_run = std::max(1, static_cast<int>(kRunUs / std::max(1.0, now_us() - first)));
  double best = INFINITY;
  for (int i = 0; i < kRuns; i++) {
    const double start = now_us();
    run(per_run);
    best = std::min(best, (now_us() - start) / per_run / per_step);
  }
  return Napi::Number::New(env, best);
}

std::vector<float> waves(size_t n) {
  std::vector<float> values(n);
  for (size_t i = 0; i < n; i++) values[i] = std::sin(static_cast<float>(i % 8191));
  return values;
}

// timeLinear(path, threads, weight, type, N, K, rows): microseconds
Napi::Value time_linear(const Napi::CallbackInfo& info) {
  const auto made = backend_of(info);
  Backend& backend = *made;
  const auto bytes = info[2].As<Napi::Uint8Array>();
  Tensor tensor{bytes.Data(), static_cast<DType>(integer_of(info[3])), integer_of(info[4]),
                integer_of(info[5])};
  const int n_rows = integer_of(info[6]);
  const auto n_copies = static_cast<size_t>(kBeyondCaches / tensor.bytes() + 1);
  std::vector<std::vector<uint8_t>> copies;  // of what is read in place
  std::vector<std::unique_ptr<Weight>> weights;
  for (size_t i = 0; i < n_copies; i++) {
    copies.emplace_back(bytes.Data(), bytes.Data() + bytes.ElementLength());
    tensor.data = copies.back().data();
    weights.push_back(backend.prepare_weight(tensor, {}));
    // A device knows a weight by its source, so each needs one of its own.
    if (!backend.is_async() && !is_float(tensor.dtype)) copies.pop_back();
  }
  const DeviceFloats x(backend, waves(static_cast<size_t>(n_rows * tensor.n_cols)));
  const DeviceFloats y(backend, static_cast<size_t>(n_rows * tensor.n_rows));
  return time_calls(info.Env(), backend, {}, [&](int i) {
    const LinearOutput output{weights[static_cast<size_t>(i) % n_copies].get(), y.data(), nullptr};
    backend.linear({x.data(), n_rows, std::span(&output, 1)});
  });
}

/** Contexts of `sequences` of one length, in as many layers as are beyond the caches. */
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
    pool_ = std::make_unique<KvPool>(backend, KvShape{format_, n_layers_, n_kv_heads_, head_dim_},
                                     static_cast<size_t>(2 * layer_bytes * n_layers_ + (8 << 20)));
    angles_ = floats(static_cast<size_t>(n_tokens_ * head_dim_ / 2));
    for (int i = 0; i < n_sequences_; i++) fill();
    for (int i = 0; i < n_sequences_; i++)
      sequences_.push_back(
          {i * n_rows_, n_rows_, n_tokens_ - n_rows_, slabs_[static_cast<size_t>(i)]});
    q_ = floats(static_cast<size_t>(n_sequences_ * n_rows_ * n_heads_ * head_dim_));
    out_ = floats(q_->size());
    plan_ =
        plan_attention(sequences_, {{n_heads_ / n_kv_heads_, n_kv_heads_, backend.parallelism()},
                                    0,
                                    Grouping::kNever,
                                    nullptr});
    partials_ = floats(static_cast<size_t>(plan_.n_partials * n_heads_ * (head_dim_ + 2)));
  }

  /** What a step of these contexts reads. */
  StepTables tables() const { return {.targets = targets_, .plans = std::span(&plan_, 1)}; }

  void attend(int call) {
    const float scale = 1.0f / std::sqrt(static_cast<float>(head_dim_));
    backend_.attention({pool_->store(), rope(), call % n_layers_, n_heads_, scale, q_->data(), 0,
                        partials_->data()});
    backend_.attention_merge({0, partials_->data(), n_heads_, head_dim_, out_->data()});
  }

  /** The keys and values of each sequence's rows. */
  void write(int call) {
    backend_.kv_write({pool_->store(), rope(), call % n_layers_, k_->data(), k_->data()});
  }

 private:
  std::unique_ptr<DeviceFloats> floats(size_t n) {
    return std::make_unique<DeviceFloats>(backend_, waves(n));
  }
  RopeTable rope() const { return {angles_->data(), angles_->data(), head_dim_, 1}; }

  void fill() {
    std::vector<uint32_t> slabs;
    std::vector<KvTarget> targets;
    for (int i = 0; i < n_tokens_; i++) {
      if (i % kTileTokens == 0) slabs.push_back(*pool_->allocate());
      targets.push_back({slabs.back(), i % kTileTokens, i});
    }
    const int most_rows = std::max(n_tokens_, n_sequences_ * n_rows_);
    if (k_ == nullptr) k_ = floats(static_cast<size_t>(most_rows * n_kv_heads_ * head_dim_));
    backend_.begin_step({.targets = targets});
    for (int layer = 0; layer < n_layers_; layer++)
      backend_.kv_write({pool_->store(), rope(), layer, k_->data(), k_->data()});
    backend_.wait();
    targets_.insert(targets_.end(), targets.end() - n_rows_, targets.end());
    slabs_.push_back(std::move(slabs));
  }

  int n_heads_, n_kv_heads_, head_dim_, n_rows_, n_tokens_, n_sequences_, n_layers_;
  Backend& backend_;
  KvFormat format_;
  std::unique_ptr<KvPool> pool_;
  std::unique_ptr<DeviceFloats> angles_, k_, q_, out_, partials_;
  std::vector<std::vector<uint32_t>> slabs_;
  std::vector<KvTarget> targets_;
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

// timeRmsNorm(path, threads, rows, width): microseconds
Napi::Value time_rms_norm(const Napi::CallbackInfo& info) {
  const auto made = backend_of(info);
  Backend& backend = *made;
  const int n_rows = integer_of(info[2]), width = integer_of(info[3]);
  const DeviceFloats x(backend, waves(static_cast<size_t>(n_rows * width))),
      delta(backend, x.size()), weight(backend, static_cast<size_t>(width)), out(backend, x.size());
  return time_calls(info.Env(), backend, {}, [&](int) {
    backend.rms_norm({x.data(), delta.data(), weight.data(), 1e-5f, n_rows, width, out.data()});
  });
}

// timeSiluMul(path, threads, rows, width): microseconds
Napi::Value time_silu_mul(const Napi::CallbackInfo& info) {
  const auto made = backend_of(info);
  Backend& backend = *made;
  const int n_rows = integer_of(info[2]), width = integer_of(info[3]);
  const DeviceFloats gate(backend, waves(static_cast<size_t>(n_rows * width))),
      out(backend, gate.size());
  return time_calls(info.Env(), backend, {}, [&](int) {
    backend.silu_mul({gate.data(), gate.data(), n_rows, width, out.data()});
  });
}

// timeSample(path, threads, rows, vocabulary, temperature, topK): microseconds
Napi::Value time_sample(const Napi::CallbackInfo& info) {
  const auto made = backend_of(info);
  Backend& backend = *made;
  const int n_rows = integer_of(info[2]), vocabulary = integer_of(info[3]);
  const DeviceFloats logits(backend, waves(static_cast<size_t>(n_rows * vocabulary)));
  SampleRow row;
  row.temperature = info[4].ToNumber().FloatValue();
  row.top_k = integer_of(info[5]);
  const std::vector<SampleRow> rows(static_cast<size_t>(n_rows), row);
  std::vector<SampledToken> out(rows.size());
  return time_calls(info.Env(), backend, {}, [&](int) {
    backend.sample({logits.data(), vocabulary, rows, {}, out.data(), nullptr});
  });
}

}  // namespace

void export_timing(Napi::Env env, Napi::Object exports) {
  exports.Set("timeLinear", Napi::Function::New(env, time_linear));
  exports.Set("timeAttention", Napi::Function::New(env, time_attention));
  exports.Set("timeKvWrite", Napi::Function::New(env, time_kv_write));
  exports.Set("timeRmsNorm", Napi::Function::New(env, time_rms_norm));
  exports.Set("timeSiluMul", Napi::Function::New(env, time_silu_mul));
  exports.Set("timeSample", Napi::Function::New(env, time_sample));
}

}  // namespace cachalot::addon
