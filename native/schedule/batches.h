// The batches that were announced: each has places in the order of arrival, and knows which of its
// items still share what.
#pragma once

#include <map>
#include <optional>

#include "schedule/batch_users.h"

namespace cachalot {

class Batches {
 public:
  void begin(uint64_t batch, std::vector<int32_t> shared_with_next, uint64_t first_arrival) {
    batches_.emplace(batch, Batch{first_arrival, BatchUsers(std::move(shared_with_next))});
  }

  /** The arrival of an item, or nothing if there is no such batch. */
  std::optional<uint64_t> arrival(uint64_t batch, int rank) const {
    const auto found = batches_.find(batch);
    if (found == batches_.end()) return std::nullopt;
    return found->second.first_arrival + static_cast<uint64_t>(rank);
  }

  /** An item ends. Returns how many of its first tokens other items will still read, or nothing if
   * there is no such item, or it has ended before. */
  std::optional<int> end_item(uint64_t batch, int rank) {
    const auto found = batches_.find(batch);
    if (found == batches_.end() || !found->second.users.has(rank)) return std::nullopt;
    const int n_shared = found->second.users.finish(rank);
    if (found->second.users.empty()) batches_.erase(found);
    return n_shared;
  }

 private:
  struct Batch {
    uint64_t first_arrival;
    BatchUsers users;
  };
  std::map<uint64_t, Batch> batches_;
};

}  // namespace cachalot
