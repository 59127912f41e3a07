#include "schedule/speculators/ngram_index.h"

#include <algorithm>
#include <bit>

namespace cachalot {

namespace {

constexpr int kMostPlaces = 16;   // that are looked at
constexpr int kMostCounted = 32;  // equal tokens
constexpr size_t kLeastSlots = 64;

}  // namespace

/** Of the tokens that end at `last`. */
uint64_t NgramIndex::hash_of(const int32_t* last) const {
  uint64_t hash = 0;
  for (int i = 0; i < gram_; i++)
    hash = (hash ^ static_cast<uint32_t>(last[-i])) * 0x9e3779b97f4a7c15ull;
  return hash ^ (hash >> 29);
}

void NgramIndex::insert(std::span<const int32_t> text, int at) {
  int32_t& last = last_[hash_of(text.data() + at) & (last_.size() - 1)];
  before_[static_cast<size_t>(at)] = last;
  last = at + 1;
}

void NgramIndex::follow(std::span<const int32_t> text) {
  if (text.size() > last_.size()) {  // a larger table, in which all places are put anew
    last_.assign(std::bit_ceil(std::max(kLeastSlots, 2 * text.size())), 0);
    before_.clear();
  }
  const size_t first = std::max(before_.size(), static_cast<size_t>(gram_ - 1));
  before_.resize(std::max(before_.size(), text.size()));
  for (size_t at = first; at < text.size(); at++) insert(text, static_cast<int>(at));
}

NgramIndex::Match NgramIndex::find(std::span<const int32_t> text, std::span<const int32_t> tokens,
                                   int end) const {
  Match best;
  const auto n = static_cast<int>(tokens.size());
  if (n < gram_ || last_.empty()) return best;
  int place = last_[hash_of(&tokens.back()) & (last_.size() - 1)] - 1;
  for (int looks = 0; place >= 0 && looks < kMostPlaces;
       place = before_[static_cast<size_t>(place)] - 1, looks++) {
    if (place + 1 >= end) continue;
    int length = 0;
    const int most = std::min({kMostCounted, place + 1, n});
    while (length < most &&
           text[static_cast<size_t>(place - length)] == tokens[static_cast<size_t>(n - 1 - length)])
      length++;
    if (length >= gram_ && length > best.length) best = {place + 1, length};
  }
  return best;
}

}  // namespace cachalot
