// The commands of other threads to the engine's thread: one list, in the order in which they were
// posted. A command that releases something (cancel, unpin, skip) must not fail when memory runs
// out, so its room is reserved beforehand, with the thing to release. Room once made stays.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <iterator>
#include <mutex>
#include <utility>
#include <variant>
#include <vector>

namespace cachalot {

struct ActiveRequest;

struct Submit {
  ActiveRequest* request;
};
struct Cancel {
  uint64_t id;
};
struct Unpin {
  uint64_t pin;
};
struct BeginBatch {
  uint64_t batch;
  std::vector<int32_t> shared_with_next;
};
struct SkipBatchItem {
  uint64_t batch;
  int rank;
};
struct ClearCache {};
using Command = std::variant<Submit, Cancel, Unpin, BeginBatch, SkipBatchItem, ClearCache>;

class Mailbox {
 public:
  Mailbox() { make_room(0); }

  /** Also reserves room for n_reserved later commands. If it throws, nothing has changed. */
  void post(Command command, size_t n_reserved = 0) {
    {
      const std::lock_guard lock(mutex_);
      make_room(1 + n_reserved);
      n_reserved_ += n_reserved;
      commands_.push_back(std::move(command));
    }
    wake_.notify_all();
  }

  /** Posts a command for which room was reserved: needs no memory. */
  void post_reserved(Command command) {
    {
      const std::lock_guard lock(mutex_);
      commands_.push_back(std::move(command));
    }
    wake_.notify_all();
  }

  /** Gives up the reserved room of n commands, which will not come or have been handled. */
  void release(size_t n = 1) {
    const std::lock_guard lock(mutex_);
    n_reserved_ -= std::min(n_reserved_, n);
  }

  /** Asks to forget all KV that can be forgotten; twice in a row is once. Needs no memory. */
  void post_clear() {
    {
      const std::lock_guard lock(mutex_);
      const bool is_next =
          !commands_.empty() && std::holds_alternative<ClearCache>(commands_.back());
      if (!is_next) commands_.push_back(ClearCache{});
    }
    wake_.notify_all();
  }

  /** All commands since the last call. */
  std::vector<Command> take() {
    const std::lock_guard lock(mutex_);
    std::vector<Command> taken(std::make_move_iterator(commands_.begin()),
                               std::make_move_iterator(commands_.end()));
    commands_.clear();  // the room stays
    return taken;
  }

  /** Returns when there is something to do: at once if the caller has work. False once stopped. */
  bool wait(bool has_work) {
    std::unique_lock lock(mutex_);
    // No limit is needed, but `wait` without one would ask for GCC 12's libstdc++. Prebuilt addons
    // also run on older systems, which do not have it.
    while (!wake_.wait_for(lock, std::chrono::hours(1),
                           [&] { return is_stopped_ || has_work || !commands_.empty(); })) {
    }
    return !is_stopped_;
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      is_stopped_ = true;
    }
    wake_.notify_all();
  }

 private:
  /** Makes room for n more commands than were posted and reserved. */
  void make_room(size_t n) {
    const size_t needed = commands_.size() + n_reserved_ + kClears + n;
    if (commands_.capacity() < needed)
      commands_.reserve(std::max(needed, 2 * commands_.capacity()));
  }

  static constexpr size_t kClears = 1;  // room that is always there

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Command> commands_;
  size_t n_reserved_ = 0;  // commands that may come, and must find room
  bool is_stopped_ = false;
};

}  // namespace cachalot
