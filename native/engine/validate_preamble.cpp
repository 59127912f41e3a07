#include <algorithm>

#include "base/error.h"
#include "engine/validate.h"

namespace cachalot {

namespace {

constexpr int kMaxDepth = 8;        // preambles below preambles
constexpr size_t kMaxParts = 4096;  // of one preamble

void expect(bool holds, const std::string& expected) {
  if (!holds) throw Error(ErrorCode::kInvalidArgument, "expected " + expected);
}

int check_preamble(const RequestPreamble& preamble, int vocabulary, int context_length, int depth) {
  expect(depth <= kMaxDepth, "preambles of at most " + std::to_string(kMaxDepth) + " levels");
  expect(preamble.parts.size() <= kMaxParts,
         "at most " + std::to_string(kMaxParts) + " parts in a preamble");
  expect(preamble.position >= 0 && preamble.position <= context_length,
         "a `position` from 0 to the context's length");
  int64_t lowest = 0;
  for (const auto& [tokens, first, shift, under] : preamble.parts) {
    check_tokens(tokens, vocabulary);
    const auto n = static_cast<int64_t>(tokens.size());
    expect(first >= 0 && first <= n, "a part's `first` within its tokens");
    const int room = check_preamble(under, vocabulary, context_length, depth + 1);
    if (n > room)
      throw Error(ErrorCode::kContextOverflow,
                  "a part of the preamble is of a text of " + std::to_string(n) +
                      " tokens, but there is room for " + std::to_string(room));
    const int64_t begin = int64_t{under.position} + shift;  // of its text, in this context
    expect(begin + n <= preamble.position, "parts that end before `position`");
    lowest = std::min(lowest, begin + first);
  }
  return static_cast<int>(std::max<int64_t>(0, context_length + lowest - preamble.position));
}

}  // namespace

int validate_preamble(const RequestPreamble& preamble, int vocabulary, int context_length) {
  return check_preamble(preamble, vocabulary, context_length, 1);
}

}  // namespace cachalot
