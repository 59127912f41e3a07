// The batches that were announced. Each has places in the order of arrival, and knows how much its
// unfinished items still share.
#pragma once

#include <map>
#include <optional>

#include "schedule/batch_users.h"

namespace cachalot {

class Batches {
 public:
  void begin(uint64_t batch, std::vector<int32_t> shared_with_next, uint64_t first_arrival) {
    const size_t n_items = shared_with_next.size();
    batches_.emplace(batch, Batch{first_arrival, n_items, BatchUsers(std::move(shared_with_next))});
  }

  /** The arrival of an item, or nothing if there is no such batch. */
  std::optional<uint64_t> arrival(uint64_t batch, int rank) const {
    const auto found = batches_.find(batch);
    if (found == batches_.end()) return std::nullopt;
    return found->second.first_arrival + static_cast<uint64_t>(rank);
  }

  struct EndedItem {
    int n_shared;          // how many of its first tokens other items will still read
    size_t n_batch_items;  // the size of the batch if this item was the last, else 0
  };
  /** Ends an item. Returns nothing if there is no such item, or if it has ended before. */
  std::optional<EndedItem> end_item(uint64_t batch, int rank) {
    const auto found = batches_.find(batch);
    if (found == batches_.end() || !found->second.users.has(rank)) return std::nullopt;
    EndedItem ended{found->second.users.finish(rank), 0};
    if (found->second.users.empty()) {
      ended.n_batch_items = found->second.n_items;
      batches_.erase(found);
    }
    return ended;
  }

 private:
  struct Batch {
    uint64_t first_arrival;
    size_t n_items;
    BatchUsers users;
  };
  std::map<uint64_t, Batch> batches_;
};

}  // namespace cachalot
