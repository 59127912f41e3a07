// What other threads tell the engine's thread: one list of commands, in the order in which they
// were posted. A command that lets go of something (cancel, unpin, skip) must not fail for want of
// memory: room for it is reserved when there is something to let go of.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <mutex>
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
  /** Also reserves room for so many commands. If it throws, nothing has changed. */
  void post(Command command, size_t n_reserved = 0) {
    std::list<Command> posted, reserved(n_reserved);
    posted.push_back(std::move(command));
    {
      const std::lock_guard lock(mutex_);
      commands_.splice(commands_.end(), posted);
      reserved_.splice(reserved_.end(), reserved);
    }
    wake_.notify_all();
  }

  /** Posts a command for which room was reserved: needs no memory. */
  void post_reserved(Command command) {
    {
      const std::lock_guard lock(mutex_);
      if (reserved_.empty()) reserved_.emplace_back();  // a command that nobody reserved room for
      reserved_.front() = std::move(command);
      commands_.splice(commands_.end(), reserved_, reserved_.begin());
    }
    wake_.notify_all();
  }

  /** A command for which room was reserved will not come. */
  void unreserve() {
    const std::lock_guard lock(mutex_);
    if (!reserved_.empty()) reserved_.pop_front();
  }

  /** All commands since the last call. */
  std::list<Command> take() {
    std::list<Command> taken;
    const std::lock_guard lock(mutex_);
    taken.swap(commands_);
    return taken;
  }

  /** Returns when there is something to do: at once if the caller has work. False once stopped. */
  bool wait(bool has_work) {
    std::unique_lock lock(mutex_);
    // With a limit, though none is needed: `wait` alone would ask for GCC 12's libstdc++, which the
    // older systems that prebuilt addons run on do not have.
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
  std::mutex mutex_;
  std::condition_variable wake_;
  std::list<Command> commands_;
  std::list<Command> reserved_;  // nodes for commands that may come
  bool is_stopped_ = false;
};

}  // namespace cachalot
