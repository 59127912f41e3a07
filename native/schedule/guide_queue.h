// Sequences whose guides have not read their context: they wait here before they wait for a place
// in a step, so that they are in nobody's way. As many guides are at work as there is memory for.
#pragma once

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "schedule/waiting_queue.h"

namespace cachalot {

class GuideQueue {
 public:
  void add(Sequence* sequence) { unread_.add(sequence); }
  bool empty() const { return unread_.empty(); }
  WaitingQueue::Map::const_iterator begin() const { return unread_.begin(); }
  WaitingQueue::Map::const_iterator end() const { return unread_.end(); }

  /** The first one, if its guide has room beside those at work: it is one of them then. `room`:
   * tokens of all of them. Null: there is none, or no room. */
  Sequence* next(int64_t room) {
    if (unread_.empty()) return nullptr;
    Sequence* sequence = unread_.begin()->second;
    if (std::ranges::find(at_work_, sequence) != at_work_.end()) return sequence;
    at_work_.push_back(sequence);
    if (at_work_.size() == 1 || n_tokens() <= room) return sequence;
    at_work_.pop_back();
    return nullptr;
  }
  /** False if it does not wait here. */
  bool remove(const Sequence& sequence) { return unread_.remove(sequence); }
  /** Its guide needs no memory any more. */
  void forget(const Sequence& sequence) { std::erase(at_work_, &sequence); }

 private:
  /** Of the guides at work: equal contexts are stored once. */
  int64_t n_tokens() const {
    constexpr int kMore = 2 * kTileTokens;  // generated before long, and the rest of a slab
    std::set<std::pair<uint64_t, size_t>> seen;
    int64_t n = 0;
    for (const Sequence* sequence : at_work_) {
      const auto& [key, size] = sequence->guide->identity();
      if (seen.emplace(key, size).second) n += static_cast<int64_t>(size);
      n += sequence->n_generated() + kMore;
    }
    return n;
  }

  WaitingQueue unread_;
  std::vector<const Sequence*> at_work_;  // in here, waiting for a place, or running
};

}  // namespace cachalot
