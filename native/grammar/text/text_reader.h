// The inside of a JSON string, read byte by byte: raw UTF-8 and escapes, as code points that a text
// has to have. Halves of surrogate pairs never stand alone.
#pragma once

#include <array>
#include <memory>
#include <unordered_map>
#include <vector>

#include "grammar/text/text_dfa.h"

namespace cachalot {

struct TextRules {
  std::shared_ptr<const TextDfa> patterns{};    // none: any text; knows of `least`
  int64_t least = 0, most = TextDfa::kEndless;  // code points
  /** Escapes are written only where JSON needs one, and the shortest: each text in one way. */
  bool is_canonical = false;

  /** Whether any text fits, of any length. */
  bool is_free() const { return !patterns && least == 0 && most == TextDfa::kEndless; }
  bool is_empty() const;
  /** Whether a text does, as UTF-8. */
  bool fits(std::string_view text) const;
};

class TextReader {
 public:
  static constexpr int32_t kDead = -1, kClosed = -2;

  explicit TextReader(const TextRules& rules);

  const TextRules& rules() const { return rules_; }
  /** Behind the opening quote; kDead: no text fits. */
  int32_t start() const { return start_; }
  /** kClosed: the byte was the closing quote. */
  int32_t next(int32_t state, uint8_t byte) {
    Row* row = rows_[static_cast<size_t>(state)].get();
    if (row != nullptr && (*row)[byte] != kUnknown) return (*row)[byte];
    return find_next(state, byte);
  }
  /** Whether it is between two code points, so that any number of plain ones may come next, up to
   * so many; -1: not any. */
  int64_t n_any(int32_t state) const;
  /** The state of the patterns between two code points; 0: there are none. */
  int32_t pattern_state(int32_t state) const { return states_[static_cast<size_t>(state)].at; }
  size_t bytes() const { return bytes_; }

 private:
  using Row = std::array<int32_t, 256>;
  static constexpr int32_t kUnknown = -3;

  /** Inside a code point. */
  enum class In : uint8_t { kBetween, kUtf8, kEscape, kHex, kLowEscape, kLowU, kLowHex };
  struct State {
    int32_t at = 0;  // of the patterns
    int64_t n = 0;   // code points, as far as that matters
    In in = In::kBetween;
    uint8_t left = 0;    // bytes or digits to come
    uint32_t value = 0;  // of those that came; of a low surrogate: behind the high one's bits
    bool operator==(const State&) const = default;
  };
  struct Hash {
    size_t operator()(const State& state) const;
  };

  int32_t find_next(int32_t state, uint8_t byte);
  int32_t after(State state, uint8_t byte);
  int32_t begin(State state, uint8_t byte);
  int32_t escape(State state, uint8_t byte);
  int32_t hex(State state, uint8_t byte);
  int32_t partial(const State& state, uint32_t first, uint32_t last);
  int32_t complete(State state, uint32_t code_point);
  bool closes(const State& state) const;
  bool can_come(const State& state, uint32_t first, uint32_t last) const;
  int32_t id_of(const State& state);

  TextRules rules_;
  int32_t start_ = kDead;
  std::vector<State> states_;
  std::vector<std::unique_ptr<Row>> rows_;
  std::unordered_map<State, int32_t, Hash> known_;
  size_t bytes_ = 0;
};

}  // namespace cachalot
