// The sequences that wait for a place in a step: higher priority first, then the earlier deadline,
// then the order of arrival or of the batch's plan. A preempted sequence keeps its place.
#pragma once

#include <limits>
#include <map>
#include <tuple>

#include "schedule/sequence.h"

namespace cachalot {

class WaitingQueue {
 public:
  using Key = std::tuple<int, int64_t, uint64_t, uint64_t>;
  using Map = std::map<Key, Sequence*>;

  void add(Sequence* sequence) { sequences_.emplace(key(*sequence), sequence); }
  /** False if it does not wait here. */
  bool remove(const Sequence& sequence) { return sequences_.erase(key(sequence)) > 0; }
  /** Takes out the sequence at `at`; then `at` is the next one. */
  Sequence* take(Map::iterator* at) {
    Sequence* sequence = (*at)->second;
    *at = sequences_.erase(*at);
    return sequence;
  }

  Map::iterator begin() { return sequences_.begin(); }
  Map::iterator end() { return sequences_.end(); }
  Map::const_iterator begin() const { return sequences_.begin(); }
  Map::const_iterator end() const { return sequences_.end(); }
  bool empty() const { return sequences_.empty(); }
  int size() const { return static_cast<int>(sequences_.size()); }

 private:
  static Key key(const Sequence& sequence) {
    const int64_t deadline =
        sequence.deadline_ms == 0 ? std::numeric_limits<int64_t>::max() : sequence.deadline_ms;
    return {-sequence.priority, deadline, sequence.arrival, sequence.id};
  }

  Map sequences_;
};

}  // namespace cachalot
