// Blocks of keys and values that a test writes, copies and reads. Only the backend knows the order
// inside a block, so they are read by attention, or asked for signals. All memory is NaN at first,
// so a value that an op must clear and does not clear shows.

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
         InstanceMethod<&KvBlocks::gather>("gather"), InstanceMethod<&KvBlocks::merge>("merge"),
         InstanceMethod<&KvBlocks::attend>("attend"),
         InstanceMethod<&KvBlocks::attend_edited>("attendEdited"),
         InstanceMethod<&KvBlocks::keep_queries>("keepQueries"),
         InstanceMethod<&KvBlocks::signal>("signal")});
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
    edited_ = store_;
    edited_.layout = kv_layout(format, format, store_.layout.head_dim, KvBlockKind::kEdited);
    edited_memory_ = backend_->allocate(kEditedBlocks * kv_block_bytes(edited_.layout));
    edited_memory_->fill(0, edited_memory_->size(), 0xff);
    edited_.base = edited_memory_->data();
    const auto cosines = floats_of(shape.Get("cosines"));
    cosines_ = floats(cosines);
    sines_ = floats(floats_of(shape.Get("sines")));
    ones_ = floats(std::vector<float>(cosines.size(), 1.0f));
    zeros_ = floats(std::vector<float>(cosines.size(), 0.0f));
    interleaved_ = shape.Get("interleaved").ToBoolean();
  }

 private:
  // write(layer, [block, slot, position] of each target, k, v, rows?): both [rows, G, D]; the row
  // of each target, in order if they are not given
  Napi::Value write(const Napi::CallbackInfo& info) {
    const auto given = integers_of(info[1]);
    const auto rows = info[4].IsUndefined() ? std::vector<int32_t>() : integers_of(info[4]);
    std::vector<KvTarget> targets;
    for (size_t i = 0; i + 2 < given.size(); i += 3)
      targets.push_back({address(given[i]), given[i + 1], given[i + 2],
                         rows.empty() ? static_cast<int32_t>(i / 3) : rows[i / 3]});
    const auto k = floats(floats_of(info[2])), v = floats(floats_of(info[3]));
    backend_->begin_step({.targets = targets});
    backend_->kv_write({store_, rope(), integer_of(info[0]), k->data(), v->data()});
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

  // gather([layer, head, block, slot, edited?, edited block, slot, index] of each move, weights)
  Napi::Value gather(const Napi::CallbackInfo& info) {
    const auto given = integers_of(info[0]);
    const auto weights = floats_of(info[1]);
    std::vector<KvMove> moves;
    for (size_t i = 0; i < weights.size(); i++) {
      const int32_t* move = given.data() + 8 * i;
      moves.push_back({place_of(move), edited_address(move[5]), move[6], move[7], weights[i]});
    }
    backend_->kv_gather({store_, edited_, moves});
    return info.Env().Undefined();
  }

  // merge([edited block, slot, first source, sources] of each merge, [layer, head, block, slot,
  // edited?] of each source, shares)
  Napi::Value merge(const Napi::CallbackInfo& info) {
    const auto given = integers_of(info[0]), from = integers_of(info[1]);
    const auto shares = floats_of(info[2]);
    std::vector<KvMerge> merges;
    for (size_t i = 0; i + 3 < given.size(); i += 4)
      merges.push_back({edited_address(given[i]), given[i + 1], given[i + 2], given[i + 3]});
    std::vector<KvMergeSource> sources;
    for (size_t i = 0; i < shares.size(); i++)
      sources.push_back({place_of(from.data() + 5 * i), shares[i]});
    backend_->kv_merge({store_, edited_, merges, sources});
    return info.Env().Undefined();
  }

  /** Of [layer, head, block, slot, edited?]. */
  KvPlace place_of(const int32_t* given) const {
    if (given[4] != 0) return {edited_address(given[2]), given[3], 1};
    const auto in_slab = static_cast<uint32_t>(given[0] * store_.n_kv_heads + given[1]);
    return {address(given[2]) + in_slab * store_.layout.block_units, given[3], 0};
  }
  uint32_t edited_address(int block) const {
    return static_cast<uint32_t>(block) * edited_.layout.block_units;
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
    return read(info.Env(), integer_of(info[0]), {{store_, 0}, 0, n_tokens, 0, 0}, blocks, rows,
                integer_of(info[3]), *q);
  }

  // attendEdited(layer, [edited blocks of each head], keys of each head, window, q): out. q is [1,
  // H, D], of a token after all.
  Napi::Value attend_edited(const Napi::CallbackInfo& info) {
    const int layer = integer_of(info[0]);
    const auto entries =
        edited_table(info[1].As<Napi::Array>(), info[2], layer * store_.n_kv_heads);
    constexpr int kAfterAll = 500;
    const PlanRow row{0, kAfterAll};
    return read(info.Env(), layer, {{edited_, 0}, 0, kAfterAll, 0, 0}, entries, std::span(&row, 1),
                integer_of(info[3]), *floats(floats_of(info[4])));
  }

  /** The entries of a table of edited blocks of some heads, of all layers, from `first` on. */
  std::vector<uint32_t> edited_table(const Napi::Array& heads, const Napi::Value& keys,
                                     int first) const {
    const auto n_keys = integers_of(keys);
    std::vector<uint32_t> entries(n_edited_entries(edited_));
    for (uint32_t head = 0; head < heads.Length(); head++) {
      const auto n = static_cast<uint32_t>(n_keys[head]);
      const size_t entry = 1 + 2 * (static_cast<size_t>(first) + head);
      entries[0] = std::max(entries[0], n);
      entries[entry] = static_cast<uint32_t>(entries.size() - entry);
      entries[entry + 1] = n;
      for (const int32_t block : integers_of(heads.Get(head)))
        entries.push_back(edited_address(block));
    }
    return entries;
  }

  // keepQueries(heads, places, positions of the step's rows, [row, place] of each kept one, q):
  // what lies in each layer's places then, NaN where nothing was put. q is [layers, rows, heads,
  // D].
  Napi::Value keep_queries(const Napi::CallbackInfo& info) {
    const int n_heads = integer_of(info[0]), width = n_heads * store_.layout.head_dim;
    const int layer_stride = integer_of(info[1]) * width;
    const auto positions = integers_of(info[2]);
    const auto q = floats(floats_of(info[4]));
    const int step = static_cast<int>(positions.size()) * width;
    const int n_layers = static_cast<int>(q->size()) / step;
    const auto out = floats(std::vector<float>(static_cast<size_t>(n_layers * layer_stride), NAN));
    const auto given = integers_of(info[3]);
    std::vector<KeptRow> kept;
    for (size_t i = 0; i + 1 < given.size(); i += 2)
      kept.push_back({out->data() + given[i + 1] * width, layer_stride, given[i],
                      positions[static_cast<size_t>(given[i])]});
    backend_->begin_step({.kept_rows = kept});
    for (int layer = 0; layer < n_layers; layer++)
      backend_->keep_queries(
          {rope(), layer, n_heads, store_.layout.head_dim, q->data() + layer * step});
    return floats_to(info.Env(), out->read());
  }

  // signal(KvSignalCase of test/testing/attention.ts): [layers, kvHeads, planes, keys]
  Napi::Value signal(const Napi::CallbackInfo& info) {
    const auto given = info[0].As<Napi::Object>();
    const auto number = [&](const char* name) { return integer_of(given.Get(name)); };
    const std::string name = given.Get("signal").ToString();
    KvSignalParams params{};
    params.plain = store_;
    params.edited = edited_;
    std::vector<uint32_t> before, slabs;
    if (given.Has("before"))
      before = edited_table(given.Get("before").As<Napi::Array>(), given.Get("beforeKeys"), 0);
    for (const int32_t block : integers_of(given.Get("blocks"))) slabs.push_back(address(block));
    params.before = before;
    params.slabs = slabs;
    params.first_index = number("firstIndex");
    params.n_text = number("tokens");
    params.n_keys = params.n_text + (before.empty() ? 0 : static_cast<int>(before[0]));
    std::unique_ptr<DeviceFloats> queries;
    if (name == "attention" || name == "seldom") {
      queries = floats(floats_of(given.Get("queries")));
      params.queries = queries->data();
      params.layer_stride = static_cast<int64_t>(queries->size()) / store_.n_layers;
      params.n_rows = number("rows");
      params.first_row = number("firstRow");
      params.row_stride = number("rowStride");
      params.n_heads = number("heads");
      params.window = number("window");
      params.scale = 1.0f / std::sqrt(static_cast<float>(store_.layout.head_dim));
    } else if (name == "match") {
      const auto match = integers_of(given.Get("match"));
      params.match = {match[0], match[1], match[2], match[3]};
    }
    params.signal = name == "attention" ? KeySignal::kAttention
                    : name == "seldom"  ? KeySignal::kSeldom
                    : name == "norm"    ? KeySignal::kNorm
                                        : KeySignal::kMatch;
    std::vector<float> out(static_cast<size_t>(store_.n_layers * store_.n_kv_heads *
                                               n_planes(params.signal) * params.n_keys));
    params.out = out.data();
    backend_->kv_signal(params);
    return floats_to(info.Env(), out);
  }

  /** Attention of queries that are read as they are over one part. */
  Napi::Value read(Napi::Env env, int layer, const ContextPart& part,
                   std::span<const uint32_t> entries, std::span<const PlanRow> rows, int window,
                   const DeviceFloats& q) {
    const int n_heads = store_.n_kv_heads, head_dim = store_.layout.head_dim;
    const PlanSequence sequence{std::span(&part, 1), rows};
    const AttentionPlan plan = plan_attention(std::span(&sequence, 1), {entries},
                                              {{1, n_heads, backend_->parallelism()},
                                               window,
                                               store_,
                                               Grouping::kNever,
                                               nullptr,
                                               edited_});
    const DeviceFloats partials(*backend_,
                                static_cast<size_t>(plan.n_partials * n_heads * (head_dim + 2)));
    const DeviceFloats out(*backend_, q.size());
    const RopeTable none{ones_->data(), zeros_->data(), head_dim, interleaved_};
    const float scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
    const SlabRange all{0, static_cast<uint32_t>(entries.size())};
    backend_->begin_step(
        {.slabs = entries, .new_slabs = std::span(&all, 1), .plans = std::span(&plan, 1)});
    backend_->attention({none, layer, n_heads, n_heads, head_dim, store_.layout.k, scale, q.data(),
                         0, partials.data()});
    backend_->attention_merge({0, partials.data(), n_heads, head_dim, out.data()});
    return floats_to(env, out.read());
  }

  /** Address units of the blocks of all layers and heads for 32 tokens. */
  size_t units() const {
    return size_t{store_.layout.block_units} *
           static_cast<size_t>(store_.n_layers * store_.n_kv_heads);
  }
  uint32_t address(int block) const {
    return static_cast<uint32_t>(static_cast<size_t>(block) * units());
  }
  RopeTable rope() const {
    return {cosines_->data(), sines_->data(), store_.layout.head_dim, interleaved_};
  }
  std::unique_ptr<DeviceFloats> floats(const std::vector<float>& values) {
    return std::make_unique<DeviceFloats>(*backend_, values);
  }

  std::unique_ptr<Backend> backend_;
  static constexpr size_t kEditedBlocks = 16;

  KvStore store_{}, edited_{};
  std::unique_ptr<Buffer> memory_, edited_memory_;
  std::unique_ptr<DeviceFloats> cosines_, sines_, ones_, zeros_;
  bool interleaved_ = false;
};

}  // namespace

void export_kv_blocks(Napi::Env env, Napi::Object exports) {
  exports.Set("KvBlocks", KvBlocks::define(env));
}

}  // namespace cachalot::addon
