// Lists of slab addresses, all in one array: kernels find a list by where it begins. A list grows
// and shrinks at its end, and its entries never change otherwise, so a device that has a copy of
// the array needs only what is new.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "backend/plan_records.h"
#include "base/check.h"

namespace cachalot {

/** The array, cut into ranges of 2^k entries. */
class SlabLists {
 public:
  SlabLists() { free_.fill(kNone); }
  SlabLists(const SlabLists&) = delete;
  SlabLists& operator=(const SlabLists&) = delete;

  std::span<const uint32_t> entries() const { return entries_; }

 private:
  friend class SlabList;
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr int kLeastLog = 3;

  /** A range of 2^log entries. */
  uint32_t allocate(int log) {
    uint32_t& free = free_[static_cast<size_t>(log)];
    if (free != kNone) return std::exchange(free, entries_[free]);
    const auto first = static_cast<uint32_t>(entries_.size());
    entries_.resize(entries_.size() + (size_t{1} << log));
    return first;
  }
  /** Needs no memory: free ranges of a size are a chain through their first entries. */
  void release(uint32_t first, int log) {
    entries_[first] = std::exchange(free_[static_cast<size_t>(log)], first);
  }

  std::vector<uint32_t> entries_;
  std::array<uint32_t, 32> free_;  // the first free range of 2^k entries
};

/** One list; it gives its range back when it goes. */
class SlabList {
 public:
  explicit SlabList(SlabLists& lists) : lists_(&lists) {}
  SlabList(SlabList&& other) noexcept
      : lists_(other.lists_),
        first_(other.first_),
        size_(std::exchange(other.size_, 0)),
        n_seen_(other.n_seen_),
        log_(std::exchange(other.log_, -1)) {}
  SlabList& operator=(SlabList&&) = delete;
  ~SlabList() {
    if (log_ >= 0) lists_->release(first_, log_);
  }

  void append(uint32_t slab) {
    if (log_ < 0 || size_ == uint32_t{1} << log_) grow();
    lists_->entries_[first_ + size_++] = slab;
  }

  /** Appends the first n of another list. The array may move meanwhile. */
  void append_first(const SlabList& other, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) append(lists_->entries_[other.first_ + i]);
  }
  /** Takes the last entries off, until n are left. */
  void shrink(uint32_t n) {
    size_ = std::min(size_, n);
    n_seen_ = std::min(n_seen_, n);
  }

  /** Where it begins in SlabLists::entries; changes when it grows. */
  uint32_t first() const { return first_; }
  uint32_t size() const { return size_; }
  std::span<const uint32_t> slabs() const { return lists_->entries().subspan(first_, size_); }

  /** The entries that a device has not seen, if there are any. */
  std::optional<SlabRange> unseen() const {
    if (n_seen_ == size_) return std::nullopt;
    return SlabRange{first_ + n_seen_, size_ - n_seen_};
  }
  /** A step with all entries has begun. */
  void mark_seen() { n_seen_ = size_; }

 private:
  void grow() {
    const int log = log_ < 0 ? SlabLists::kLeastLog : log_ + 1;
    const uint32_t first = lists_->allocate(log);
    for (uint32_t i = 0; i < size_; i++) lists_->entries_[first + i] = lists_->entries_[first_ + i];
    if (log_ >= 0) lists_->release(first_, log_);
    first_ = first;
    log_ = log;
    n_seen_ = 0;
  }

  SlabLists* lists_;
  uint32_t first_ = 0, size_ = 0, n_seen_ = 0;
  int log_ = -1;  // of its range; -1: none
};

}  // namespace cachalot
