// A request from its submission to its end: what was asked, the sequence that the scheduler runs,
// and what is to be told.
#pragma once

#include <list>
#include <map>

#include "engine/events.h"
#include "engine/request.h"
#include "schedule/sequence.h"

namespace cachalot {

struct ActiveRequest {
  Request request;            // its tokens have moved into the sequence
  Sequence sequence;          // points back to this
  bool is_scheduled = false;  // the scheduler has the sequence
  bool is_cancelled = false;  // guarded by OpenRequests
  std::vector<float> values;  // results of kScore and kLogits so far
  Clock::time_point submitted, first_token;
  // These are made when the request is submitted, and handed on without needing memory: whatever
  // fails, its caller hears of its end.
  std::list<StartEvent> start;  // one if it is to be told; empty once it was
  std::list<FinishEvent> end;   // one
};

/** By their ids. Nodes are moved between maps: a request stays where it is in memory. */
using RequestMap = std::map<uint64_t, ActiveRequest>;

inline double milliseconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

/** The only entry of a map: a request that is ready to be added to OpenRequests. */
RequestMap make_active(Request request);

/** Fills in the last event of a request that ends now. `error` may be null. */
void complete_end(ActiveRequest* active, FinishReason reason, const Error* error);

}  // namespace cachalot
