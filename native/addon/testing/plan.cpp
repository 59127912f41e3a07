// The plan of attention as plain data.

#include "attention/plan.h"

#include "addon/testing/testing.h"

namespace cachalot::addon {

namespace {

/** The sequences to plan for: the blocks of each part are addresses; equal ones are shared. */
struct Sequences {
  explicit Sequences(const Napi::Array& list) : parts(list.Length()), rows(list.Length()) {
    int32_t n_rows = 0;
    for (uint32_t i = 0; i < list.Length(); i++) {
      const auto object = list.Get(i).As<Napi::Object>();
      const int position = integer_of(object.Get("position"));
      for (int row = 0; row < integer_of(object.Get("rows")); row++)
        rows[i].push_back({n_rows++, position + row});
      const Napi::Value before = object.Get("before");
      for (uint32_t j = 0; before.IsArray() && j < before.As<Napi::Array>().Length(); j++) {
        const auto part = before.As<Napi::Array>().Get(j).As<Napi::Object>();
        add_part(i, part.Get("blocks"), integer_of(part.Get("first")), integer_of(part.Get("end")),
                 integer_of(part.Get("position")), integer_of(part.Get("shift")));
      }
      const Napi::Value origin = object.Get("origin");  // of its own part
      const int from = origin.IsNumber() ? integer_of(origin) : 0;
      add_part(i, object.Get("blocks"), 0, rows[i].back().position + 1 - from, from, 0);
    }
    for (size_t i = 0; i < parts.size(); i++) sequences.push_back({parts[i], rows[i]});
  }

  void add_part(size_t sequence, const Napi::Value& blocks, int first, int end, int position,
                int shift) {
    const KvTable table{{}, static_cast<uint32_t>(slabs.size())};
    for (const int32_t block : integers_of(blocks)) slabs.push_back(static_cast<uint32_t>(block));
    parts[sequence].push_back({table, first, end, position, shift});
  }

  std::vector<uint32_t> slabs;
  std::vector<std::vector<ContextPart>> parts;
  std::vector<std::vector<PlanRow>> rows;
  std::vector<PlanSequence> sequences;
};

/** If costs are given, they choose the grouping. */
PlanOptions options_of(const Napi::Object& given, AttentionCosts* costs) {
  const PlanShape shape{integer_of(given.Get("headsPerKvHead")), integer_of(given.Get("kvHeads")),
                        integer_of(given.Get("parallelism"))};
  PlanOptions how{shape,
                  integer_of(given.Get("window")),
                  {},
                  given.Get("grouped").ToBoolean() ? Grouping::kAlways : Grouping::kNever,
                  nullptr};
  const Napi::Value measured = given.Get("costs");
  if (!measured.IsObject()) return how;
  const auto tile = floats_of(measured.As<Napi::Object>().Get("tile"));
  std::copy_n(tile.begin(), costs->tile_us.size(), costs->tile_us.begin());
  costs->partial_us = measured.As<Napi::Object>().Get("partial").ToNumber().DoubleValue();
  how.grouping = Grouping::kAuto;
  how.costs = costs;
  return how;
}

Napi::Array items_to(Napi::Env env, const AttentionPlan& plan) {
  auto items = Napi::Array::New(env);
  for (const WorkItem& item : plan.items) {
    auto rows = Napi::Array::New(env);
    for (int i = 0; i < item.n_rows; i++) {
      const ItemRow& row = plan.item_rows[static_cast<size_t>(item.first_row + i)];
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
  return items;
}

Napi::Array merges_to(Napi::Env env, const AttentionPlan& plan) {
  auto merges = Napi::Array::New(env);
  for (size_t row = 0; row + 1 < plan.merge_begin.size(); row++) {
    auto entries = Napi::Array::New(env);
    for (int i = plan.merge_begin[row]; i < plan.merge_begin[row + 1]; i++) {
      auto entry = Napi::Object::New(env);
      entry.Set("partial", plan.merge_entries[static_cast<size_t>(i)].partial);
      entry.Set("spanGroup", plan.merge_entries[static_cast<size_t>(i)].span_group);
      entries.Set(entries.Length(), entry);
    }
    merges.Set(merges.Length(), entries);
  }
  return merges;
}

Napi::Array ranges_to(Napi::Env env, const ReaderTree& tree) {
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
  return ranges;
}

Napi::Array pieces_to(Napi::Env env, const AttentionPlan& plan) {
  auto pieces = Napi::Array::New(env);
  int phase = 0;
  for (size_t i = 0; i < plan.pieces.size(); i++) {
    if (static_cast<int32_t>(i) == plan.phase_ends[static_cast<size_t>(phase)]) phase++;
    auto object = Napi::Object::New(env);
    object.Set("item", plan.pieces[i].item);
    object.Set("head", plan.pieces[i].first_head);
    object.Set("heads", plan.pieces[i].n_heads);
    object.Set("phase", phase);
    pieces.Set(pieces.Length(), object);
  }
  return pieces;
}

// plan([{ rows, position, blocks, origin?, before?: [{ blocks, first, end, position, shift }] }], {
// headsPerKvHead, kvHeads, parallelism, window, grouped, costs
// }): costs are { tile: [11], partial }
Napi::Value plan(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  const Sequences given(info[0].As<Napi::Array>());
  AttentionCosts costs;
  ReaderTree tree;
  const AttentionPlan made = plan_attention(given.sequences, {given.slabs},
                                            options_of(info[1].As<Napi::Object>(), &costs), &tree);
  auto result = Napi::Object::New(env);
  result.Set("items", items_to(env, made));
  result.Set("merges", merges_to(env, made));
  result.Set("ranges", ranges_to(env, tree));
  result.Set("pieces", pieces_to(env, made));
  return result;
}

}  // namespace

void export_plan(Napi::Env env, Napi::Object exports) {
  exports.Set("plan", Napi::Function::New(env, plan));
}

}  // namespace cachalot::addon
