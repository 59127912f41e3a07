#include "base/error.h"
#include "engine/validate.h"
#include "kv/edited_part.h"

namespace cachalot {

namespace {

constexpr size_t kMaxEdits = 4096;  // of one request
constexpr int kMaxObserved = 256;   // rows
constexpr size_t kMaxValues = size_t{1} << 28;

void expect(bool holds, const std::string& expected) {
  if (!holds) throw Error(ErrorCode::kInvalidArgument, "expected " + expected);
}

/** An edited block must fit into a slab. */
void check_pool(const KvPool& pool) {
  for (const KvStore& store : pool.edited_stores()) {
    if (kv_block_bytes(store.layout) > pool.slab_bytes())
      throw Error(ErrorCode::kUnsupportedArchitecture,
                  "a context of a model with one layer and one KV head cannot be edited");
  }
}

}  // namespace

void validate_edits(const Request& request, const PolicyMaker& policies, const KvPool& pool,
                    int context_length) {
  const auto& edits = request.edits;
  const auto& [n_sinks, window] = request.window;
  expect(n_sinks >= 0 && window >= 0 && n_sinks <= context_length && window <= context_length,
         "`sinks` and a window from 0 to the context's length");
  expect(n_sinks == 0 || window > 0, "a window, if there are `sinks`");
  const bool has_preamble =
      !parts_of(request.preamble).empty() || position_below(request.preamble) != 0;
  expect(window == 0 || !has_preamble, "no window below a preamble");
  if (request.kind == RequestKind::kAttention) {
    const size_t n_values = static_cast<size_t>(EditedPart::n_heads(pool)) * request.tokens.size();
    expect(request.n_observed >= 1 && request.n_observed <= kMaxObserved,
           "1 to " + std::to_string(kMaxObserved) + " rows that are observed");
    expect(!has_preamble && edits.empty() && window == 0, "attention to a plain text");
    expect(n_values <= kMaxValues, "a shorter text: its attention is more than can be told");
  } else {
    expect(request.n_observed == 0, "rows that are observed for attention only");
  }
  if (edits.empty()) return;
  expect(edits.size() <= kMaxEdits, "at most " + std::to_string(kMaxEdits) + " edits of a context");
  expect(!has_preamble, "edits of a context that has no preamble");
  check_pool(pool);
  int before = 0;
  for (const auto& [index, recipe, n_kept] : edits) {
    expect(index > before && index < context_length,
           "edits at ascending indices, from 1 to the context's length");
    before = index;
    if (policies) policies(recipe);
    else expect(false, "no edits: this engine has no policies");
  }
  const auto n = static_cast<int>(request.tokens.size());
  const bool scores = request.kind == RequestKind::kScore;
  if (!scores && request.kind != RequestKind::kLogits) return;
  const int first_row = scores ? request.from - 1 : request.rows.front();
  for (const auto& [index, recipe, n_kept] : edits)
    expect(index >= n || first_row >= index,
           "logits and scores of rows after the last edit of the prompt");
}

}  // namespace cachalot
