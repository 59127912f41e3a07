// A request as its caller gives it: plain data, made by the addon.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kv/edit.h"
#include "kv/segment.h"
#include "kv/tree_key.h"
#include "sampling/sampling_options.h"
#include "schedule/draft_options.h"

namespace cachalot {

class Grammar;

enum class RequestKind {
  kGenerate,   // sample tokens
  kScore,      // log-probabilities of tokens that are given
  kLogits,     // logits of some rows
  kPrefill,    // compute the KV, and nothing else
  kAttention,  // how much the last rows read each key
};

struct RequestPart;
/** Parts that stand before a text. */
struct RequestPreamble {
  std::vector<RequestPart> parts;
  int position = 0;  // the logical position of the text's first token
};
/** Where a text stands by itself; null: at the beginning. Several texts may stand below one. */
using RequestPreambleRef = std::shared_ptr<const RequestPreamble>;

/** Tokens [first, tokens.size()) of a text that need not be stored, moved by `shift`. */
struct RequestPart {
  SharedTokens tokens;
  int first = 0, shift = 0;
  RequestPreambleRef under{};
  PartReading reading{};
};

inline const std::vector<RequestPart>& parts_of(const RequestPreambleRef& preamble) {
  static const std::vector<RequestPart> kNone;
  return preamble == nullptr ? kNone : preamble->parts;
}
/** The logical position of the first token below a preamble. */
inline int position_below(const RequestPreambleRef& preamble) {
  return preamble == nullptr ? 0 : preamble->position;
}

struct Request {
  uint64_t id = 0;
  RequestKind kind = RequestKind::kGenerate;
  std::string name_space;  // requests of different namespaces share nothing
  std::vector<int32_t> tokens;
  RequestPreambleRef preamble;       // what stands before the tokens
  std::vector<ScheduledEdit> edits;  // of its context, ascending
  SequenceWindow window{};           // of its context
  int max_tokens = 0;
  SamplingOptions sampling;
  DraftOptions draft{};
  DraftContext draft_context{};
  std::shared_ptr<Grammar> grammar{};  // that the answer has to match, or null
  std::vector<int32_t> stop_tokens;
  std::vector<int32_t> rows;  // kLogits: ascending indices into tokens
  int from = 1;               // kScore: index of the first token that is scored
  int n_observed = 0;         // kAttention: how many last rows
  uint64_t pin = 0;  // kPrefill: if not 0, the KV is pinned under this number until unpinned
  int priority = kDefaultPriority;  // 0 to 100: the highest runs first, and keeps its KV longest
  int64_t ttl_ms = 0;        // kPrefill: how long its KV is kept after its last use; 0: no limit
  int64_t deadline_ms = 0;   // from submission; 0: none
  uint64_t batch = 0;        // not 0: an item of that batch, see Engine::begin_batch
  int batch_rank = 0;        // its place in the batch's order
  bool tells_start = false;  // the caller wants its StartEvent
};

/** Whether its window leaves anything out of a context that is not longer than the engine's. */
inline bool has_window(const Request& request, int context_length) {
  const auto& [n_sinks, size] = request.window;
  return size > 0 && int64_t{n_sinks} + size <= context_length;
}

/** Whether its text may be longer than the engine's context, because it is cut behind its window.
 */
inline bool is_cut(const Request& request, int context_length) {
  return has_window(request, context_length) && request.edits.empty();
}

}  // namespace cachalot
