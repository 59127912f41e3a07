// Attention as the engine runs it - write K and V, plan, attend, merge - on contexts that a test
// makes up.

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

/** Writes a whole context into fresh slabs, after those that it shares. */
std::vector<uint32_t> write_context(Backend* backend, KvPool* pool, const RopeTable& rope,
                                    const std::vector<float>& k, const std::vector<float>& v,
                                    int n_tokens, std::vector<uint32_t> slabs) {
  const size_t n_shared = slabs.size();
  std::vector<KvTarget> targets;
  for (int i = 0; i < n_tokens; i++) {
    if (static_cast<size_t>(i / kTileTokens) < n_shared) {
      // The same values again, where they are: nobody sees it.
      targets.push_back({slabs[static_cast<size_t>(i / kTileTokens)], i % kTileTokens, i});
      continue;
    }
    if (i % kTileTokens == 0) slabs.push_back(*pool->allocate());
    targets.push_back({slabs.back(), i % kTileTokens, i});
  }
  const DeviceFloats keys(*backend, k), values(*backend, v);
  backend->begin_step({.targets = targets});
  backend->kv_write({pool->store(), rope, 0, keys.data(), values.data()});
  backend->wait();
  return slabs;
}

/** Bytes that hold all contexts, if nothing is shared; with some blocks to spare for pages begun.
 */
size_t room_for(const Napi::Array& contexts, const Case& c) {
  const size_t token_bytes = size_t{2} * 4 * static_cast<size_t>(c.n_kv_heads * c.head_dim);
  size_t bytes = size_t{4} << 20;
  for (uint32_t i = 0; i < contexts.Length(); i++) {
    const auto k = contexts.Get(i).As<Napi::Object>().Get("k").As<Napi::Float32Array>();
    bytes += 2 * k.ByteLength() + kTileTokens * token_bytes;
  }
  return bytes;
}

// attention(path, threads, case, [{ k, v, q, rows, shares?: { context, tokens } }]): out. k and v
// are [tokens, G, D], q is [rows, H, D]. Whole blocks of the shared tokens are those of the other
// context.
Napi::Value attention(const Napi::CallbackInfo& info) {
  const auto made = backend_of(info);
  Backend& backend = *made;
  const Case c(info[2].As<Napi::Object>());
  const auto contexts = info[3].As<Napi::Array>();
  const DeviceFloats cosines(backend, c.cosines), sines(backend, c.sines);
  const RopeTable rope{cosines.data(), sines.data(), c.head_dim, c.interleaved};
  KvPool pool(backend, {c.format, 1, c.n_kv_heads, c.head_dim}, room_for(contexts, c));
  std::vector<std::vector<uint32_t>> slabs(contexts.Length());
  std::vector<PlanSequence> sequences;
  std::vector<float> queries;
  int n_rows = 0;
  for (uint32_t i = 0; i < contexts.Length(); i++) {
    const auto context = contexts.Get(i).As<Napi::Object>();
    const auto k = floats_of(context.Get("k")), v = floats_of(context.Get("v")),
               q = floats_of(context.Get("q"));
    const int n_tokens = static_cast<int>(k.size()) / (c.n_kv_heads * c.head_dim),
              own = integer_of(context.Get("rows"));
    std::vector<uint32_t> shared;
    if (const Napi::Value shares = context.Get("shares"); shares.IsObject()) {
      const auto object = shares.As<Napi::Object>();
      const auto& other = slabs[static_cast<size_t>(integer_of(object.Get("context")))];
      shared.assign(other.begin(), other.begin() + integer_of(object.Get("tokens")) / kTileTokens);
    }
    slabs[i] = write_context(&backend, &pool, rope, k, v, n_tokens, std::move(shared));
    sequences.push_back({n_rows, own, n_tokens - own, slabs[i]});
    queries.insert(queries.end(), q.begin(), q.end());
    n_rows += own;
  }
  const AttentionPlan plan = plan_attention(
      sequences,
      {{c.n_heads / c.n_kv_heads, c.n_kv_heads, c.parallelism}, c.window, c.grouping, nullptr});
  const DeviceFloats partials(backend,
                              static_cast<size_t>(plan.n_partials * c.n_heads * (c.head_dim + 2)));
  const DeviceFloats q(backend, queries), out(backend, queries.size());
  const float scale = 1.0f / std::sqrt(static_cast<float>(c.head_dim));
  backend.begin_step({.plans = std::span(&plan, 1)});
  backend.attention({pool.store(), rope, 0, c.n_heads, scale, q.data(), 0, partials.data()});
  backend.attention_merge({0, partials.data(), c.n_heads, c.head_dim, out.data()});
  return floats_to(info.Env(), out.read());
}

// plan([{ rows, position, blocks }], { headsPerKvHead, kvHeads, parallelism, window, grouped, costs
// }): the plan as plain data. With costs, { tile: [11], partial }, they choose.
Napi::Value plan(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  const auto list = info[0].As<Napi::Array>();
  const auto options = info[1].As<Napi::Object>();
  std::vector<PlanSequence> sequences;
  std::vector<std::vector<uint32_t>> blocks(list.Length());
  int n_rows = 0;
  for (uint32_t i = 0; i < list.Length(); i++) {
    const auto object = list.Get(i).As<Napi::Object>();
    for (const int32_t block : integers_of(object.Get("blocks")))
      blocks[i].push_back(static_cast<uint32_t>(block));
    sequences.push_back(
        {n_rows, integer_of(object.Get("rows")), integer_of(object.Get("position")), blocks[i]});
    n_rows += sequences.back().n_rows;
  }
  const PlanShape shape{integer_of(options.Get("headsPerKvHead")),
                        integer_of(options.Get("kvHeads")), integer_of(options.Get("parallelism"))};
  PlanOptions how{shape, integer_of(options.Get("window")),
                  options.Get("grouped").ToBoolean() ? Grouping::kAlways : Grouping::kNever,
                  nullptr};
  AttentionCosts costs;
  if (const Napi::Value given = options.Get("costs"); given.IsObject()) {
    const auto tile = floats_of(given.As<Napi::Object>().Get("tile"));
    std::copy_n(tile.begin(), costs.tile_us.size(), costs.tile_us.begin());
    costs.partial_us = given.As<Napi::Object>().Get("partial").ToNumber().DoubleValue();
    how.grouping = Grouping::kAuto;
    how.costs = &costs;
  }
  ReaderTree tree;
  const AttentionPlan made = plan_attention(sequences, how, &tree);
  auto items = Napi::Array::New(env);
  for (const WorkItem& item : made.items) {
    auto rows = Napi::Array::New(env);
    for (int i = 0; i < item.n_rows; i++) {
      const ItemRow& row = made.item_rows[static_cast<size_t>(item.first_row + i)];
      auto object = Napi::Object::New(env);
      object.Set("row", row.row);
      object.Set("firstKey", row.first_key);
      object.Set("endKey", row.end_key);
      object.Set("partial", item.first_partial + i);
      object.Set("resumes", row.resumes);
      rows.Set(static_cast<uint32_t>(i), object);
    }
    auto object = Napi::Object::New(env);
    object.Set("part", item.part);
    object.Set("firstTile", item.first_tile);
    object.Set("endTile", item.end_tile);
    object.Set("rows", rows);
    items.Set(items.Length(), object);
  }
  auto merges = Napi::Array::New(env);
  for (size_t row = 0; row + 1 < made.merge_begin.size(); row++) {
    auto entries = Napi::Array::New(env);
    for (int i = made.merge_begin[row]; i < made.merge_begin[row + 1]; i++) {
      auto entry = Napi::Object::New(env);
      entry.Set("partial", made.merge_entries[static_cast<size_t>(i)].partial);
      entry.Set("spanGroup", made.merge_entries[static_cast<size_t>(i)].span_group);
      entries.Set(entries.Length(), entry);
    }
    merges.Set(merges.Length(), entries);
  }
  auto ranges = Napi::Array::New(env);
  for (const SharedRange& range : tree.ranges) {
    auto object = Napi::Object::New(env);
    object.Set("firstTile", range.first_tile);
    object.Set("endTile", range.end_tile);
    object.Set("readers", range.n_readers);
    object.Set("depth", range.depth);
    object.Set("grouped", range.grouped);
    ranges.Set(ranges.Length(), object);
  }
  auto pieces = Napi::Array::New(env);
  int phase = 0;
  for (size_t i = 0; i < made.pieces.size(); i++) {
    if (static_cast<int32_t>(i) == made.phase_ends[static_cast<size_t>(phase)]) phase++;
    auto object = Napi::Object::New(env);
    object.Set("item", made.pieces[i].item);
    object.Set("head", made.pieces[i].first_head);
    object.Set("heads", made.pieces[i].n_heads);
    object.Set("phase", phase);
    pieces.Set(pieces.Length(), object);
  }
  auto result = Napi::Object::New(env);
  result.Set("items", items);
  result.Set("merges", merges);
  result.Set("ranges", ranges);
  result.Set("pieces", pieces);
  return result;
}

}  // namespace

void export_attention(Napi::Env env, Napi::Object exports) {
  exports.Set("attention", Napi::Function::New(env, attention));
  exports.Set("plan", Napi::Function::New(env, plan));
}

}  // namespace cachalot::addon
