// What speculators of one namespace share: texts that have ended, and the likeliest tokens after
// each token. Other namespaces never see it, not even by how fast an answer comes.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "schedule/speculators/ngram_index.h"

namespace cachalot {

class DraftMemory {
 public:
  static constexpr int kLikely = 8;
  using Likely = std::array<int32_t, kLikely>;  // best first; -1: none

  /** Keeps a text. When there are too many, the older half goes. */
  void keep(std::span<const int32_t> tokens) {
    const auto kept = tokens.last(std::min(tokens.size(), kMostTokens / 4));
    if (text_.size() + kept.size() + 1 > kMostTokens) {
      text_.erase(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(text_.size() / 2));
      index_.clear();
    }
    text_.push_back(-1);  // is equal to no token
    text_.insert(text_.end(), kept.begin(), kept.end());
    index_.follow(text_);
  }
  const std::vector<int32_t>& text() const { return text_; }
  NgramIndex::Match find(std::span<const int32_t> tokens) const {
    return index_.find(text_, tokens, static_cast<int>(text_.size()));
  }

  void set_likely(int32_t token, const Likely& likely) { likely_[token] = likely; }
  /** Null: the token was not seen. */
  const Likely* likely(int32_t token) const {
    const auto found = likely_.find(token);
    return found == likely_.end() ? nullptr : &found->second;
  }

 private:
  static constexpr size_t kMostTokens = size_t{1} << 18;

  std::vector<int32_t> text_;
  NgramIndex index_;
  std::unordered_map<int32_t, Likely> likely_;  // at most the vocabulary: 4 MB for 128K tokens
};

/** The memories of the namespaces that were used last. */
class DraftMemories {
 public:
  std::shared_ptr<DraftMemory> of(const std::string& name_space) {
    for (auto at = memories_.begin(); at != memories_.end(); ++at) {
      if (at->first != name_space) continue;
      memories_.splice(memories_.begin(), memories_, at);
      return at->second;
    }
    if (memories_.size() >= kMost) memories_.pop_back();
    memories_.emplace_front(name_space, std::make_shared<DraftMemory>());
    return memories_.front().second;
  }
  /** Sequences that run go on with what they have. */
  void clear() { memories_.clear(); }

 private:
  static constexpr size_t kMost = 16;
  std::list<std::pair<std::string, std::shared_ptr<DraftMemory>>> memories_;
};

}  // namespace cachalot
