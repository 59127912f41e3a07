// Who waits for a place in a step: higher priority first, then the earlier deadline, then the order
// of arrival or of the batch's plan. Who is sent back keeps its place.
#pragma once

#include <limits>
#include <map>
#include <memory>
#include <tuple>

#include "engine/sequence.h"

namespace cachalot {

class WaitingQueue {
 public:
  using Key = std::tuple<int, int64_t, uint64_t, uint64_t>;
  using Map = std::map<Key, std::unique_ptr<Sequence>>;

  /** If there is no memory for it, the sequence stays where it is. */
  void add(std::unique_ptr<Sequence>&& sequence) {
    const int64_t deadline =
        sequence->deadline_ms == 0 ? std::numeric_limits<int64_t>::max() : sequence->deadline_ms;
    const Key key{-sequence->request.priority, deadline, sequence->order, sequence->request.id};
    sequences_.emplace(key, std::move(sequence));
  }
  Map::iterator begin() { return sequences_.begin(); }
  Map::iterator end() { return sequences_.end(); }
  Map::const_iterator begin() const { return sequences_.begin(); }
  Map::const_iterator end() const { return sequences_.end(); }
  bool empty() const { return sequences_.empty(); }
  int size() const { return static_cast<int>(sequences_.size()); }
  void clear() { sequences_.clear(); }
  /** Moves one out; `at` becomes the one after it. */
  std::unique_ptr<Sequence> take(Map::iterator* at) {
    auto sequence = std::move((*at)->second);
    *at = sequences_.erase(*at);
    return sequence;
  }

 private:
  Map sequences_;
};

}  // namespace cachalot
