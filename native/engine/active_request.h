// A request from its submission to its end: the caller's request, the sequence that the scheduler
// runs, and the events that are still to be sent.
#pragma once

#include <list>
#include <map>

#include "engine/constraint.h"
#include "engine/events.h"
#include "engine/request.h"
#include "schedule/sequence.h"

namespace cachalot {

struct ActiveRequest {
  Request request;            // its tokens have moved into the sequence
  Sequence sequence;          // points back to this
  int n_before = 0;           // the sequence's first tokens that are of the request's preamble
  bool is_scheduled = false;  // the scheduler has the sequence
  bool is_cancelled = false;  // guarded by OpenRequests
  std::unique_ptr<Constraint> constraint;  // of its answer, or null
  std::vector<float> values;               // results of kScore and kLogits so far
  Clock::time_point submitted, first_token;
  // Both are made when the request is submitted, and passing them on needs no memory. So the caller
  // is told of the end, whatever fails.
  std::list<StartEvent> start;  // one if the caller wants it; empty once it was sent
  std::list<FinishEvent> end;   // one
};

/** Requests by id. Nodes are moved between maps, so a request keeps its address in memory. */
using RequestMap = std::map<uint64_t, ActiveRequest>;

inline double milliseconds(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

/** A map with one entry: a request that is ready to be added to OpenRequests. It must be valid.
 * `keep_parts`: its preamble is not brought into canonical form. `guide_room`: tokens that a guide
 * has room for. */
RequestMap make_active(Request request, int context_length, PreambleTable& table, bool keep_parts,
                       int guide_room);

/** Fills in the last event of a request that ends now. `error` may be null. */
void complete_end(ActiveRequest* active, FinishReason reason, const Error* error);

}  // namespace cachalot
