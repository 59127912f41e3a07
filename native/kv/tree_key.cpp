#include "kv/tree_key.h"

#include <algorithm>

namespace cachalot {

namespace {

void mix(uint64_t value, uint64_t* hash) {
  *hash = (*hash ^ value) * 0x9e3779b97f4a7c15;
  *hash ^= *hash >> 29;
}

void mix_part(const PreamblePart& part, uint64_t* hash) {
  for (const int32_t token : part.tokens) mix(static_cast<uint64_t>(token), hash);
  mix(part.tokens.size(), hash);
  mix(static_cast<uint64_t>(part.first), hash);
  mix(static_cast<uint64_t>(part.shift), hash);
  mix(part.under == nullptr ? 0 : part.under->hash, hash);
  if (!part.edit) return;
  for (const char c : part.edit->policy) mix(static_cast<uint64_t>(c), hash);
  for (const int64_t option : part.edit->options) mix(static_cast<uint64_t>(option), hash);
}

std::strong_ordering compare_parts(const PreamblePart& a, const PreamblePart& b) {
  if (const auto order = a.first <=> b.first; order != 0) return order;
  if (const auto order = a.shift <=> b.shift; order != 0) return order;
  if (const auto order = a.tokens <=> b.tokens; order != 0) return order;
  if (const auto order = a.edit <=> b.edit; order != 0) return order;
  return compare(a.under, b.under);
}

/** Whether `later` goes on where `part` ends, in the same text and with the same shift. */
bool continues(const PreamblePart& part, const PreamblePart& later) {
  return !part.edit && !later.edit && later.shift == part.shift &&
         later.first == static_cast<int32_t>(part.tokens.size()) &&
         std::equal(part.tokens.begin(), part.tokens.end(), later.tokens.begin()) &&
         compare(part.under, later.under) == 0;
}

/** Whether the last part is the beginning of a text where that text was computed. */
bool is_plain_text(const std::vector<PreamblePart>& parts, int position) {
  const PreamblePart& last = parts.back();
  if (last.edit || last.first != 0 || last.shift != 0) return false;
  if (position != last.position_of(static_cast<int>(last.tokens.size()))) return false;
  static const std::vector<PreamblePart> kNone;
  const auto& before = last.under == nullptr ? kNone : last.under->parts;
  return std::equal(parts.begin(), parts.end() - 1, before.begin(), before.end(),
                    [](const auto& a, const auto& b) { return compare_parts(a, b) == 0; });
}

}  // namespace

int PreamblePart::n_tokens() const {
  const int n_before = edit && under != nullptr ? under->n_tokens() : 0;
  return n_before + static_cast<int>(tokens.size()) - first;
}

int PreamblePart::begin() const {
  if (edit && under != nullptr && !under->parts.empty())
    return under->parts.front().begin() + shift;
  return position_of(first);
}

int PreamblePart::position_of(int index) const { return first_position(under) + index + shift; }

int Preamble::n_tokens() const {
  int n = 0;
  for (const PreamblePart& part : parts) n += part.n_tokens();
  return n;
}

PreambleRef make_preamble(std::vector<PreamblePart> parts, int position,
                          const SequenceWindow& window) {
  Preamble preamble{std::move(parts), position, window, 0};
  for (const PreamblePart& part : preamble.parts) mix_part(part, &preamble.hash);
  for (const int32_t number : {position, window.n_sinks, window.size})
    mix(static_cast<uint64_t>(number), &preamble.hash);
  return std::make_shared<const Preamble>(std::move(preamble));
}

std::strong_ordering compare(const PreambleRef& a, const PreambleRef& b) {
  if (a == b) return std::strong_ordering::equal;
  if (a == nullptr || b == nullptr) return (a != nullptr) <=> (b != nullptr);
  if (const auto order = a->hash <=> b->hash; order != 0) return order;
  if (const auto order = a->position <=> b->position; order != 0) return order;
  if (const auto order = a->window <=> b->window; order != 0) return order;
  return std::lexicographical_compare_three_way(a->parts.begin(), a->parts.end(), b->parts.begin(),
                                                b->parts.end(), compare_parts);
}

std::strong_ordering operator<=>(const TreeKey& a, const TreeKey& b) {
  if (const auto order = a.name_space <=> b.name_space; order != 0) return order;
  return compare(a.preamble, b.preamble);
}

int room_below(const PreambleRef& preamble, int context_length) {
  if (preamble == nullptr) return context_length;
  int lowest = 0;
  for (const PreamblePart& part : preamble->parts) lowest = std::min(lowest, part.begin());
  return context_length + lowest - preamble->position;
}

PlacedText canonical(std::vector<PreamblePart> parts, int position, std::vector<int32_t> tokens) {
  std::vector<PreamblePart> merged;
  for (PreamblePart& part : parts) {
    if (part.n_tokens() == 0) continue;
    if (!merged.empty() && continues(merged.back(), part)) {
      part.first = merged.back().first;
      merged.pop_back();
    }
    merged.push_back(std::move(part));
  }
  if (merged.empty() && position == 0) return {nullptr, std::move(tokens)};
  if (!merged.empty() && is_plain_text(merged, position)) {
    PreamblePart& text = merged.back();
    text.tokens.insert(text.tokens.end(), tokens.begin(), tokens.end());
    return {text.under, std::move(text.tokens)};
  }
  return {make_preamble(std::move(merged), position), std::move(tokens)};
}

}  // namespace cachalot
