#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "engine/validate.h"

namespace cachalot {

namespace {

constexpr int kMaxDepth = 64;       // preambles below preambles
constexpr size_t kMaxParts = 4096;  // of one preamble

void expect(bool holds, const std::string& expected) {
  if (!holds) throw Error(ErrorCode::kInvalidArgument, "expected " + expected);
}

void check_reading(const PartReading& reading) {
  const auto is_factor = [](float factor) { return std::isfinite(factor) && factor > 0; };
  expect(is_factor(reading.sharpness) && is_factor(reading.lse_factor),
         "a part's temperature and scale above 0");
  expect(reading.blend >= -1, "a blend's number of at least 0, or -1");
}

/** Looks at each preamble once, however many texts stand below it. */
class Check {
 public:
  Check(int vocabulary, int context_length)
      : vocabulary_(vocabulary), context_length_(context_length) {}

  /** How many tokens there is room for below a preamble. */
  int room_below(const RequestPreambleRef& preamble, int depth) {
    if (preamble == nullptr) return context_length_;
    expect(depth <= kMaxDepth, "preambles of at most " + std::to_string(kMaxDepth) + " levels");
    const auto known = rooms_.find(preamble.get());
    if (known != rooms_.end()) return known->second;
    const int room = check(*preamble, depth);
    rooms_.emplace(preamble.get(), room);
    return room;
  }

 private:
  int check(const RequestPreamble& preamble, int depth) {
    expect(preamble.parts.size() <= kMaxParts,
           "at most " + std::to_string(kMaxParts) + " parts in a preamble");
    expect(preamble.position >= 0, "a `position` of at least 0");
    if (preamble.position > context_length_)
      throw Error(ErrorCode::kContextOverflow,
                  "what stands before the prompt has " + std::to_string(preamble.position) +
                      " tokens, but the context holds " + std::to_string(context_length_) +
                      "; leave some of it out");
    int64_t lowest = 0;
    for (const auto& [tokens, first, shift, under, reading] : preamble.parts) {
      check_tokens(tokens, vocabulary_);
      check_reading(reading);
      const auto n = static_cast<int64_t>(tokens.size());
      expect(first >= 0 && first <= n, "a part's `first` within its tokens");
      const int room = room_below(under, depth + 1);
      if (n > room)
        throw Error(ErrorCode::kContextOverflow,
                    "a part of the preamble is of a text of " + std::to_string(n) +
                        " tokens, but there is room for " + std::to_string(room));
      const int64_t begin = int64_t{position_below(under)} + shift;  // of its text, in this context
      expect(begin + n <= preamble.position, "parts that end before `position`");
      lowest = std::min(lowest, begin + first);
    }
    const int64_t room = context_length_ + lowest - preamble.position;
    return static_cast<int>(std::max<int64_t>(0, room));
  }

  int vocabulary_, context_length_;
  std::map<const RequestPreamble*, int> rooms_;
};

}  // namespace

int validate_preamble(const RequestPreambleRef& preamble, int vocabulary, int context_length) {
  return Check(vocabulary, context_length).room_below(preamble, 1);
}

}  // namespace cachalot
