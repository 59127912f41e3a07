// The requests that have not ended. Every thread may call these methods; the content of a request
// belongs to the engine's thread.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "engine/active_request.h"

namespace cachalot {

class OpenRequests {
 public:
  /** Adds the request in `added` and calls `post`, which tells the engine's thread. Throws
   * invalid_argument if its id is in use, and the error of an engine that has failed; then, and if
   * `post` throws, nothing has changed. */
  template <typename Post>
  void add(RequestMap added, const Post& post) {
    const std::lock_guard lock(mutex_);
    if (failure_) throw *failure_;
    const uint64_t id = added.begin()->first;
    if (requests_.contains(id))
      throw Error(ErrorCode::kInvalidArgument,
                  "there is a request " + std::to_string(id) + " that has not ended");
    post(added.begin()->second);
    requests_.merge(added);  // needs no memory
  }

  /** Calls `post` if the request is open and was not cancelled before. */
  template <typename Post>
  void cancel(uint64_t id, const Post& post) {
    const std::lock_guard lock(mutex_);
    const auto found = requests_.find(id);
    if (found == requests_.end() || found->second.is_cancelled) return;
    post();
    found->second.is_cancelled = true;
  }

  /** Null if it has ended. */
  ActiveRequest* find(uint64_t id) {
    const std::lock_guard lock(mutex_);
    const auto found = requests_.find(id);
    return found == requests_.end() ? nullptr : &found->second;
  }

  /** Takes a request out. Needs no memory. */
  RequestMap::node_type close(uint64_t id) {
    const std::lock_guard lock(mutex_);
    return requests_.extract(id);
  }

  /** Ends all open requests with `error`; later ones are refused with it. Needs no memory. */
  void fail(const Error& error, StepEvents* events) noexcept {
    const std::lock_guard lock(mutex_);
    failure_ = error;
    for (auto& [id, request] : requests_) {
      request.end.front().error = error;
      events->finished.splice(events->finished.end(), request.end);
    }
    requests_.clear();
  }

  bool has_failed() const {
    const std::lock_guard lock(mutex_);
    return failure_.has_value();
  }
  int n_open() const {
    const std::lock_guard lock(mutex_);
    return static_cast<int>(requests_.size());
  }

 private:
  mutable std::mutex mutex_;
  RequestMap requests_;
  std::optional<Error> failure_;
};

}  // namespace cachalot
