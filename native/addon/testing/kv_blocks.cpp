// Blocks of keys and values that a test writes, copies and reads. Only the backend knows the order
// inside a block, so they are read by attention. All memory is NaN at first, so a value that an op
// must clear and does not clear shows.

#include <cmath>

#include "addon/testing/device.h"
#include "attention/plan.h"

namespace cachalot::addon {

namespace {

class KvBlocks final : public Napi::ObjectWrap<KvBlocks> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "KvBlocks",
        {InstanceMethod<&KvBlocks::write>("write"), InstanceMethod<&KvBlocks::copy>("copy"),
         InstanceMethod<&KvBlocks::attend>("attend")});
  }

  // new KvBlocks(path, threads, { format, layers, kvHeads, headDim, blocks, cosines, sines,
  // interleaved })
  explicit KvBlocks(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<KvBlocks>(info), backend_(backend_of(info)) {
    const auto shape = info[2].As<Napi::Object>();
    const bool is_bf16 = shape.Get("format").ToString().Utf8Value() == "bf16";
    const KvFormat format = is_bf16 ? KvFormat::kBF16 : KvFormat::kF32;
    store_.layout = kv_layout(format, format, integer_of(shape.Get("headDim")));
    store_.n_layers = integer_of(shape.Get("layers"));
    store_.n_kv_heads = integer_of(shape.Get("kvHeads"));
    const auto n_blocks = static_cast<size_t>(integer_of(shape.Get("blocks")));
    const size_t bytes = n_blocks * units() * kKvAddressUnit;
    memory_ = backend_->allocate(bytes);
    memory_->fill(0, bytes, 0xff);
    store_.base = memory_->data();
    const auto cosines = floats_of(shape.Get("cosines"));
    cosines_ = floats(cosines);
    sines_ = floats(floats_of(shape.Get("sines")));
    ones_ = floats(std::vector<float>(cosines.size(), 1.0f));
    zeros_ = floats(std::vector<float>(cosines.size(), 0.0f));
    interleaved_ = shape.Get("interleaved").ToBoolean();
  }

 private:
  // write(layer, [block, slot, position] of each row, k, v): both [rows, G, D]
  Napi::Value write(const Napi::CallbackInfo& info) {
    const auto given = integers_of(info[1]);
    std::vector<KvTarget> targets;
    for (size_t i = 0; i + 2 < given.size(); i += 3)
      targets.push_back({address(given[i]), given[i + 1], given[i + 2]});
    const auto k = floats(floats_of(info[2])), v = floats(floats_of(info[3]));
    const RopeTable rope{cosines_->data(), sines_->data(), store_.layout.head_dim, interleaved_};
    backend_->begin_step({.targets = targets});
    backend_->kv_write({store_, rope, integer_of(info[0]), k->data(), v->data()});
    backend_->wait();
    return info.Env().Undefined();
  }

  // copy([from, to, first slot, end slot] of each copy)
  Napi::Value copy(const Napi::CallbackInfo& info) {
    const auto given = integers_of(info[0]);
    std::vector<KvCopy> copies;
    for (size_t i = 0; i + 3 < given.size(); i += 4)
      copies.push_back({address(given[i]), address(given[i + 1]), given[i + 2], given[i + 3]});
    backend_->kv_copy({std::span(&store_, 1), copies});
    return info.Env().Undefined();
  }

  // attend(layer, blocks, tokens, window, q): out. q is [rows, H, D], of the last tokens, and is
  // read as it is: positions are the keys' alone.
  Napi::Value attend(const Napi::CallbackInfo& info) {
    std::vector<uint32_t> blocks;
    for (const int32_t block : integers_of(info[1])) blocks.push_back(address(block));
    const int n_tokens = integer_of(info[2]);
    const auto q = floats(floats_of(info[4]));
    const int n_heads = store_.n_kv_heads, head_dim = store_.layout.head_dim;
    const int n_rows = static_cast<int>(q->size()) / (n_heads * head_dim);
    std::vector<PlanRow> rows;
    for (int i = 0; i < n_rows; i++) rows.push_back({i, n_tokens - n_rows + i});
    const ContextPart part{{store_, 0}, 0, n_tokens, 0, 0};
    const PlanSequence sequence{std::span(&part, 1), rows};
    const AttentionPlan plan = plan_attention(std::span(&sequence, 1), {blocks},
                                              {{1, n_heads, backend_->parallelism()},
                                               integer_of(info[3]),
                                               store_,
                                               Grouping::kNever,
                                               nullptr});
    const DeviceFloats partials(*backend_,
                                static_cast<size_t>(plan.n_partials * n_heads * (head_dim + 2)));
    const DeviceFloats out(*backend_, q->size());
    const RopeTable none{ones_->data(), zeros_->data(), head_dim, interleaved_};
    const float scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
    const SlabRange all{0, static_cast<uint32_t>(blocks.size())};
    backend_->begin_step(
        {.slabs = blocks, .new_slabs = std::span(&all, 1), .plans = std::span(&plan, 1)});
    backend_->attention({none, integer_of(info[0]), n_heads, n_heads, head_dim, store_.layout.k,
                         scale, q->data(), 0, partials.data()});
    backend_->attention_merge({0, partials.data(), n_heads, head_dim, out.data()});
    return floats_to(info.Env(), out.read());
  }

  /** Address units of the blocks of all layers and heads for 32 tokens. */
  size_t units() const {
    return size_t{store_.layout.block_units} *
           static_cast<size_t>(store_.n_layers * store_.n_kv_heads);
  }
  uint32_t address(int block) const {
    return static_cast<uint32_t>(static_cast<size_t>(block) * units());
  }
  std::unique_ptr<DeviceFloats> floats(const std::vector<float>& values) {
    return std::make_unique<DeviceFloats>(*backend_, values);
  }

  std::unique_ptr<Backend> backend_;
  KvStore store_{};
  std::unique_ptr<Buffer> memory_;
  std::unique_ptr<DeviceFloats> cosines_, sines_, ones_, zeros_;
  bool interleaved_ = false;
};

}  // namespace

void export_kv_blocks(Napi::Env env, Napi::Object exports) {
  exports.Set("KvBlocks", KvBlocks::define(env));
}

}  // namespace cachalot::addon
