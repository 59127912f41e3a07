// Attention as the engine runs it - write K and V, plan, attend, merge - on contexts that a test
// makes up.

#include <algorithm>
#include <array>
#include <cmath>

#include "addon/testing/device.h"
#include "attention/plan.h"
#include "kv/pool.h"

namespace cachalot::addon {

namespace {

/** A case: one layer, contexts of their own, the last rows of each being the step's rows. */
struct Case {
  explicit Case(const Napi::Object& object)
      : n_heads(integer_of(object.Get("heads"))),
        n_kv_heads(integer_of(object.Get("kvHeads"))),
        head_dim(integer_of(object.Get("headDim"))),
        format(object.Get("format").ToString().Utf8Value() == "bf16" ? KvFormat::kBF16
                                                                     : KvFormat::kF32),
        parallelism(integer_of(object.Get("parallelism"))),
        window(integer_of(object.Get("window"))),
        grouping(object.Get("grouped").ToBoolean() ? Grouping::kAlways : Grouping::kNever),
        interleaved(object.Get("interleaved").ToBoolean()),
        cosines(floats_of(object.Get("cosines"))),
        sines(floats_of(object.Get("sines"))) {}

  int n_heads, n_kv_heads, head_dim;
  KvFormat format;
  int parallelism, window;
  Grouping grouping;
  bool interleaved;
  std::vector<float> cosines, sines;
};

/** Contexts in the backend's memory: each has slabs of its own tokens, and parts of others before
 * them. */
class Contexts {
 public:
  Contexts(Backend& backend, const Case& c, const RopeTable& rope, const Napi::Array& given,
           size_t bytes)
      : backend_(backend),
        case_(c),
        rope_(rope),
        pool_(backend,
              std::array{KvShape{kv_layout(c.format, c.format, c.head_dim), 1, c.n_kv_heads}},
              bytes),
        edited_memory_(backend.allocate(2 * bytes)) {
    const KvLayout layout = kv_layout(c.format, c.format, c.head_dim, KvBlockKind::kEdited);
    edited_ = {edited_memory_->data(), layout, 1, c.n_kv_heads};
    edited_memory_->fill(0, edited_memory_->size(), 0xff);
    for (uint32_t i = 0; i < given.Length(); i++) add(given.Get(i).As<Napi::Object>());
    for (size_t i = 0; i < parts_.size(); i++) sequences_.push_back({parts_[i], rows_[i]});
  }

  const KvStore& store() const { return pool_.stores()[0]; }
  const KvStore& edited_store() const { return edited_; }
  std::span<const PlanSequence> sequences() const { return sequences_; }
  const std::vector<uint32_t>& slabs() const { return slabs_; }

 private:
  void add(const Napi::Object& given) {
    const auto k = floats_of(given.Get("k")), v = floats_of(given.Get("v"));
    const int n_tokens = static_cast<int>(k.size()) / (case_.n_kv_heads * case_.head_dim);
    const Napi::Value position = given.Get("position"), before = given.Get("before");
    const int origin = position.IsNumber() ? integer_of(position) : 0;
    own_.push_back({write(k, v, n_tokens, origin, shared_slabs(given.Get("shares"))), origin});
    auto& parts = parts_.emplace_back();
    for (uint32_t i = 0; before.IsArray() && i < before.As<Napi::Array>().Length(); i++)
      parts.push_back(part_of(before.As<Napi::Array>().Get(i).As<Napi::Object>()));
    parts.push_back({table_of(own_.back().slabs), 0, n_tokens, origin, 0});
    auto& rows = rows_.emplace_back();
    const int n_rows = integer_of(given.Get("rows"));
    for (int i = 0; i < n_rows; i++) rows.push_back({n_rows_++, origin + n_tokens - n_rows + i});
  }

  std::vector<uint32_t> shared_slabs(const Napi::Value& shares) const {
    if (!shares.IsObject()) return {};
    const auto object = shares.As<Napi::Object>();
    const auto& other = own_[static_cast<size_t>(integer_of(object.Get("context")))].slabs;
    return {other.begin(), other.begin() + integer_of(object.Get("tokens")) / kTileTokens};
  }

  KvTable table_of(std::span<const uint32_t> slabs) {
    const KvTable table{store(), static_cast<uint32_t>(slabs_.size())};
    slabs_.insert(slabs_.end(), slabs.begin(), slabs.end());
    return table;
  }

  ContextPart part_of(const Napi::Object& given) {
    if (given.Get("sameAs").IsArray()) {
      const auto same = integers_of(given.Get("sameAs"));
      return parts_[static_cast<size_t>(same[0])][static_cast<size_t>(same[1])];
    }
    ContextPart part = sealed_part(given);
    if (given.Has("edit")) part = edited_part(part, given.Get("edit").As<Napi::Array>());
    const auto number = [&](const char* name, float otherwise) {
      return given.Has(name) ? given.Get(name).ToNumber().FloatValue() : otherwise;
    };
    if (given.Has("lastPosition")) part.last_position = integer_of(given.Get("lastPosition"));
    part.sharpness = 1 / number("temperature", 1);
    part.blend = static_cast<int32_t>(number("blend", -1));
    part.lse_factor = number("lseFactor", 1);
    return part;
  }

  /** A part of single keys, for each KV head [{ tokens, weight }]: the first token's, or the mean
   * of them all. Tokens count from the part's first. */
  ContextPart edited_part(const ContextPart& plain, const Napi::Array& heads) {
    const auto first = static_cast<uint32_t>(slabs_.size());
    slabs_.resize(first + n_edited_entries(edited_));
    for (uint32_t head = 0; head < heads.Length(); head++)
      add_head(plain, first, static_cast<int>(head), heads.Get(head).As<Napi::Array>());
    ContextPart part = plain;
    part.table = {edited_, first};
    return part;
  }

  void add_head(const ContextPart& plain, uint32_t first, int head, const Napi::Array& keys) {
    const uint32_t n = keys.Length(), entry = first + 1 + 2 * static_cast<uint32_t>(head);
    slabs_[first] = std::max(slabs_[first], n);
    slabs_[entry] = static_cast<uint32_t>(slabs_.size()) - entry;
    slabs_[entry + 1] = n;
    std::vector<KvMove> moves;
    std::vector<KvMerge> merges;
    std::vector<KvMergeSource> sources;
    for (uint32_t i = 0; i < n; i++) {
      const auto key = keys.Get(i).As<Napi::Object>();
      const auto slot = static_cast<int32_t>(i % kTileTokens);
      if (slot == 0) slabs_.push_back(n_edited_++ * edited_.layout.block_units);
      const auto tokens = integers_of(key.Get("tokens"));
      const int32_t index = plain.first_key + tokens[0];
      moves.push_back({place_of(plain, index, head), slabs_.back(), slot, index,
                       key.Get("weight").ToNumber().FloatValue()});
      if (tokens.size() == 1) continue;
      merges.push_back({slabs_.back(), slot, static_cast<int32_t>(sources.size()),
                        static_cast<int32_t>(tokens.size())});
      for (const int32_t token : tokens)
        sources.push_back({place_of(plain, plain.first_key + token, head),
                           1 / static_cast<float>(tokens.size())});
    }
    backend_.kv_gather({store(), edited_, moves});
    backend_.kv_merge({store(), edited_, merges, sources});
  }

  KvPlace place_of(const ContextPart& plain, int index, int head) const {
    const uint32_t slab = slabs_[plain.table.first + static_cast<uint32_t>(index / kTileTokens)];
    return {slab + static_cast<uint32_t>(head) * store().layout.block_units, index % kTileTokens,
            0};
  }

  /** Tokens [first, end) of another context; slabs that they fill in part are copied. */
  ContextPart sealed_part(const Napi::Object& given) {
    const auto& [other, position] = own_[static_cast<size_t>(integer_of(given.Get("context")))];
    const int first = integer_of(given.Get("first")), end = integer_of(given.Get("end")),
              shift = integer_of(given.Get("shift")), origin = first / kTileTokens * kTileTokens;
    std::vector<uint32_t> slabs;
    for (int begin = origin; begin < end; begin += kTileTokens) {
      const uint32_t slab = other[static_cast<size_t>(begin / kTileTokens)];
      const int first_slot = std::max(0, first - begin),
                end_slot = std::min(end - begin, kTileTokens);
      slabs.push_back(end_slot - first_slot == kTileTokens ? slab : *pool_.allocate());
      const KvCopy copy{slab, slabs.back(), first_slot, end_slot};
      if (copy.to != slab) backend_.kv_copy({pool_.stores(), std::span(&copy, 1)});
    }
    return {table_of(slabs), first - origin, end - origin, position + origin + shift, shift};
  }

  /** Writes a whole context into fresh slabs, after those that it shares. */
  std::vector<uint32_t> write(const std::vector<float>& k, const std::vector<float>& v,
                              int n_tokens, int origin, std::vector<uint32_t> slabs) {
    const size_t n_shared = slabs.size();
    std::vector<KvTarget> targets;
    for (int i = 0; i < n_tokens; i++) {
      // In shared slabs it writes equal values again at the same place, which changes nothing.
      const auto block = static_cast<size_t>(i / kTileTokens);
      if (block >= n_shared && i % kTileTokens == 0) slabs.push_back(*pool_.allocate());
      targets.push_back({slabs[block], i % kTileTokens, origin + i});
    }
    const DeviceFloats keys(backend_, k), values(backend_, v);
    backend_.begin_step({.targets = targets});
    backend_.kv_write({store(), rope_, 0, keys.data(), values.data()});
    backend_.wait();
    return slabs;
  }

  struct Own {
    std::vector<uint32_t> slabs;
    int origin;  // the position of its first token
  };

  Backend& backend_;
  const Case& case_;
  const RopeTable& rope_;
  KvPool pool_;
  std::unique_ptr<Buffer> edited_memory_;  // of blocks of edited parts; NaN at first
  KvStore edited_{};
  uint32_t n_edited_ = 0;  // blocks
  std::vector<Own> own_;
  std::vector<uint32_t> slabs_;  // the step's list
  std::vector<std::vector<ContextPart>> parts_;
  std::vector<std::vector<PlanRow>> rows_;
  std::vector<PlanSequence> sequences_;
  int32_t n_rows_ = 0;
};

/** Bytes that hold all contexts if nothing is shared, with some blocks to spare for pages begun.
 */
size_t room_for(const Napi::Array& contexts, const Case& c) {
  const size_t token_bytes = size_t{2} * 4 * static_cast<size_t>(c.n_kv_heads * c.head_dim);
  size_t bytes = size_t{4} << 20;
  for (uint32_t i = 0; i < contexts.Length(); i++) {
    const auto k = contexts.Get(i).As<Napi::Object>().Get("k").As<Napi::Float32Array>();
    bytes += 2 * k.ByteLength() + kTileTokens * token_bytes;
    const Napi::Value before = contexts.Get(i).As<Napi::Object>().Get("before");
    if (before.IsArray())
      bytes += before.As<Napi::Array>().Length() * 2 * kTileTokens * token_bytes;
  }
  return bytes;
}

// attention(path, threads, case, [{ k, v, q, rows, position?, shares?: { context, tokens },
// before?: [{ context, first, end, shift, edit?, temperature?, lastPosition?, blend?, lseFactor?,
// sameAs? }] }]): out. k and v are [tokens, G, D], q is [rows, H, D]. Whole blocks of the shared
// tokens are those of the other context.
Napi::Value attention(const Napi::CallbackInfo& info) {
  const auto made = backend_of(info);
  Backend& backend = *made;
  const Case c(info[2].As<Napi::Object>());
  const auto given = info[3].As<Napi::Array>();
  const DeviceFloats cosines(backend, c.cosines), sines(backend, c.sines);
  const RopeTable rope{cosines.data(), sines.data(), c.head_dim, c.interleaved};
  const Contexts contexts(backend, c, rope, given, room_for(given, c));
  std::vector<float> queries;
  for (uint32_t i = 0; i < given.Length(); i++) {
    const auto q = floats_of(given.Get(i).As<Napi::Object>().Get("q"));
    queries.insert(queries.end(), q.begin(), q.end());
  }
  const AttentionPlan plan =
      plan_attention(contexts.sequences(), {contexts.slabs()},
                     {{c.n_heads / c.n_kv_heads, c.n_kv_heads, c.parallelism},
                      c.window,
                      contexts.store(),
                      c.grouping,
                      nullptr,
                      contexts.edited_store()});
  const DeviceFloats partials(backend,
                              static_cast<size_t>(plan.n_partials * c.n_heads * (c.head_dim + 2)));
  const DeviceFloats q(backend, queries), out(backend, queries.size());
  const float scale = 1.0f / std::sqrt(static_cast<float>(c.head_dim));
  const SlabRange all{0, static_cast<uint32_t>(contexts.slabs().size())};
  backend.begin_step(
      {.slabs = contexts.slabs(), .new_slabs = std::span(&all, 1), .plans = std::span(&plan, 1)});
  backend.attention({rope, 0, c.n_heads, c.n_kv_heads, c.head_dim, c.format, scale, q.data(), 0,
                     partials.data()});
  backend.attention_merge({0, partials.data(), c.n_heads, c.head_dim, out.data()});
  return floats_to(info.Env(), out.read());
}

/** Partials as the backend's own attention leaves them: on the CPU each head's out is followed by
 * its max and sum, on a GPU all outs are followed by all pairs of these. */
std::vector<float> packed_partials(const Backend& backend, const Napi::Array& given, int n_heads,
                                   int head_dim) {
  const bool is_together = backend.device().kind == "cpu";
  std::vector<float> outs, scalars;
  for (uint32_t i = 0; i < given.Length(); i++) {
    const auto partial = given.Get(i).As<Napi::Object>();
    const auto out = floats_of(partial.Get("out")), max = floats_of(partial.Get("max")),
               sum = floats_of(partial.Get("sum"));
    for (int head = 0; head < n_heads; head++) {
      const auto at = static_cast<size_t>(head);
      outs.insert(outs.end(), out.begin() + head * head_dim, out.begin() + (head + 1) * head_dim);
      auto& after = is_together ? outs : scalars;
      after.insert(after.end(), {max[at], sum[at]});
    }
  }
  outs.insert(outs.end(), scalars.begin(), scalars.end());
  return outs;
}

/** A plan that only merges. */
AttentionPlan merges_of(const Napi::Array& rows, uint32_t n_partials) {
  AttentionPlan plan;
  plan.n_partials = static_cast<int32_t>(n_partials);
  plan.merge_begin = {0};
  for (uint32_t row = 0; row < rows.Length(); row++) {
    const auto entries = rows.Get(row).As<Napi::Array>();
    for (uint32_t i = 0; i < entries.Length(); i++) {
      const auto entry = entries.Get(i).As<Napi::Object>();
      const Napi::Value factor = entry.Get("lseFactor");  // of a blend of this one's span group
      int32_t blend = -1;
      if (factor.IsNumber()) {
        blend = integer_of(entry.Get("blend"));
        plan.blend_factors.resize(std::max(plan.blend_factors.size(), size_t(blend) + 1));
        plan.blend_factors[static_cast<size_t>(blend)] = factor.ToNumber().FloatValue();
      }
      plan.merge_entries.push_back(
          {integer_of(entry.Get("partial")), integer_of(entry.Get("spanGroup")), blend});
    }
    plan.merge_begin.push_back(static_cast<int32_t>(plan.merge_entries.size()));
  }
  return plan;
}

// attentionMerge(path, threads, { heads, headDim }, [{ out, max, sum }], [[{ partial, spanGroup
// }]]): out of each row. A partial's out is [H, D], its max and sum are [H].
Napi::Value attention_merge(const Napi::CallbackInfo& info) {
  const auto backend = backend_of(info);
  const auto shape = info[2].As<Napi::Object>();
  const int n_heads = integer_of(shape.Get("heads")), head_dim = integer_of(shape.Get("headDim"));
  const DeviceFloats partials(
      *backend, packed_partials(*backend, info[3].As<Napi::Array>(), n_heads, head_dim));
  const AttentionPlan plan =
      merges_of(info[4].As<Napi::Array>(), info[3].As<Napi::Array>().Length());
  const int n_rows = static_cast<int>(plan.merge_begin.size()) - 1;
  const DeviceFloats out(*backend, static_cast<size_t>(n_rows * n_heads * head_dim));
  backend->begin_step({.plans = std::span(&plan, 1)});
  backend->attention_merge({0, partials.data(), n_heads, head_dim, out.data()});
  return floats_to(info.Env(), out.read());
}

}  // namespace

void export_attention(Napi::Env env, Napi::Object exports) {
  exports.Set("attention", Napi::Function::New(env, attention));
  exports.Set("attentionMerge", Napi::Function::New(env, attention_merge));
}

}  // namespace cachalot::addon
