#include "addon/testing/contexts.h"

#include <algorithm>

namespace cachalot::addon {

void Contexts::add(const Napi::Object& given) {
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

std::vector<uint32_t> Contexts::shared_slabs(const Napi::Value& shares) const {
  if (!shares.IsObject()) return {};
  const auto object = shares.As<Napi::Object>();
  const auto& other = own_[static_cast<size_t>(integer_of(object.Get("context")))].slabs;
  return {other.begin(), other.begin() + integer_of(object.Get("tokens")) / kTileTokens};
}

KvTable Contexts::table_of(std::span<const uint32_t> slabs) {
  const KvTable table{store(), static_cast<uint32_t>(slabs_.size())};
  slabs_.insert(slabs_.end(), slabs.begin(), slabs.end());
  return table;
}

ContextPart Contexts::part_of(const Napi::Object& given) {
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

ContextPart Contexts::edited_part(const ContextPart& plain, const Napi::Array& heads) {
  const auto first = static_cast<uint32_t>(slabs_.size());
  slabs_.resize(first + n_edited_entries(edited_));
  for (uint32_t head = 0; head < heads.Length(); head++)
    add_head(plain, first, static_cast<int>(head), heads.Get(head).As<Napi::Array>());
  ContextPart part = plain;
  part.table = {edited_, first};
  return part;
}

void Contexts::add_head(const ContextPart& plain, uint32_t first, int head,
                        const Napi::Array& keys) {
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
      sources.push_back(
          {place_of(plain, plain.first_key + token, head), 1 / static_cast<float>(tokens.size())});
  }
  backend_.kv_gather({store(), edited_, moves});
  backend_.kv_merge({store(), edited_, merges, sources});
}

KvPlace Contexts::place_of(const ContextPart& plain, int index, int head) const {
  const uint32_t slab = slabs_[plain.table.first + static_cast<uint32_t>(index / kTileTokens)];
  return {slab + static_cast<uint32_t>(head) * store().layout.block_units, index % kTileTokens, 0};
}

ContextPart Contexts::sealed_part(const Napi::Object& given) {
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

std::vector<uint32_t> Contexts::write(const std::vector<float>& k, const std::vector<float>& v,
                                      int n_tokens, int origin, std::vector<uint32_t> slabs) {
  const size_t n_shared = slabs.size();
  std::vector<KvTarget> targets;
  for (int i = 0; i < n_tokens; i++) {
    // In shared slabs it writes equal values again at the same place, which changes nothing.
    const auto block = static_cast<size_t>(i / kTileTokens);
    if (block >= n_shared && i % kTileTokens == 0) slabs.push_back(*pool_.allocate());
    targets.push_back({slabs[block], i % kTileTokens, origin + i, i});
  }
  const DeviceFloats keys(backend_, k), values(backend_, v);
  backend_.begin_step({.targets = targets});
  backend_.kv_write({store(), rope_, 0, keys.data(), values.data()});
  backend_.wait();
  return slabs;
}

}  // namespace cachalot::addon
