// Attention as the engine runs it - write K and V, plan, attend, merge - on contexts that a test
// makes up.

#include <algorithm>
#include <cmath>

#include "addon/testing/contexts.h"

namespace cachalot::addon {

namespace {

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
