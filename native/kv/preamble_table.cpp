#include "kv/preamble_table.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace cachalot {

namespace {

constexpr size_t kLastTokens = 16;  // of a part, that its hash looks at
constexpr size_t kSweepFrom = 1024;

void mix(uint64_t value, uint64_t* hash) {
  *hash = (*hash ^ value) * 0x9e3779b97f4a7c15;
  *hash ^= *hash >> 29;
}

/** Looks at a part's last tokens only: a hash finds what may be equal, the content decides. */
void mix_part(const PreamblePart& part, uint64_t* hash) {
  const std::span<const int32_t> tokens = part.tokens;
  for (const int32_t token : tokens.last(std::min(tokens.size(), kLastTokens)))
    mix(static_cast<uint64_t>(token), hash);
  mix(tokens.size(), hash);
  mix(static_cast<uint64_t>(part.first), hash);
  mix(static_cast<uint64_t>(part.shift), hash);
  mix(std::bit_cast<uint64_t>(part.under.get()), hash);
  if (!part.edit) return;
  for (const char c : part.edit->policy) mix(static_cast<uint64_t>(c), hash);
  for (const int64_t option : part.edit->options) mix(static_cast<uint64_t>(option), hash);
}

uint64_t hash_of(const Preamble& preamble) {
  uint64_t hash = 0;
  for (const PreamblePart& part : preamble.parts) mix_part(part, &hash);
  for (const int32_t number : {preamble.position, preamble.window.n_sinks, preamble.window.size})
    mix(static_cast<uint64_t>(number), &hash);
  return hash;
}

bool is_equal(const Preamble& a, const Preamble& b) {
  return a.position == b.position && a.window == b.window &&
         std::ranges::equal(a.parts, b.parts, is_same);
}

/** Whether `later` goes on where `part` ends: in the same text, with the same shift, and is read
 * alike. */
bool continues(const PreamblePart& part, const PreamblePart& later) {
  return !part.edit && !later.edit && later.shift == part.shift && later.reading == part.reading &&
         later.first == static_cast<int32_t>(part.tokens.size()) && part.under == later.under &&
         later.tokens.first(part.tokens.size()) == part.tokens;
}

/** Whether the last part is the beginning of a text where that text was computed. */
bool is_plain_text(const std::vector<PreamblePart>& parts, int position) {
  const PreamblePart& last = parts.back();
  if (last.edit || last.first != 0 || last.shift != 0 || last.reading != PartReading{})
    return false;
  if (position != last.position_of(static_cast<int>(last.tokens.size()))) return false;
  const auto& before = parts_of(last.under);
  return std::equal(parts.begin(), parts.end() - 1, before.begin(), before.end(), is_same);
}

}  // namespace

PreambleRef PreambleTable::make(std::vector<PreamblePart> parts, int position,
                                const SequenceWindow& window) {
  auto made = std::make_shared<const Preamble>(Preamble{std::move(parts), position, window});
  const uint64_t hash = hash_of(*made);
  const std::lock_guard lock(mutex_);
  const auto [first, last] = by_hash_.equal_range(hash);
  for (auto at = first; at != last; ++at) {
    PreambleRef known = at->second.lock();
    if (known != nullptr && is_equal(*known, *made)) return known;
  }
  if (by_hash_.size() >= std::max(kSweepFrom, 2 * n_after_sweep_)) forget_unused();
  by_hash_.emplace(hash, made);
  return made;
}

void PreambleTable::forget_unused() {
  std::erase_if(by_hash_, [](const auto& entry) { return entry.second.expired(); });
  n_after_sweep_ = by_hash_.size();
}

PlacedText canonical(std::vector<PreamblePart> parts, int position, PreambleTable& table) {
  std::vector<PreamblePart> merged;
  for (PreamblePart& part : parts) {
    if (part.n_tokens() == 0) continue;
    if (part.reading.lse_factor == 1.0f) part.reading.blend = -1;
    if (!merged.empty() && continues(merged.back(), part)) {
      part.first = merged.back().first;
      merged.pop_back();
    }
    merged.push_back(std::move(part));
  }
  if (merged.empty() && position == 0) return {};
  if (!merged.empty() && is_plain_text(merged, position)) {
    const PreamblePart& text = merged.back();
    return {text.under, {text.tokens.begin(), text.tokens.end()}};
  }
  return {table.make(std::move(merged), position), {}};
}

}  // namespace cachalot
