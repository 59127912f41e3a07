// A JSON number, read byte by byte: which digits may come next, so that a number that fits can end.
#pragma once

#include "grammar/json/interned.h"
#include "grammar/number/number_rules.h"

namespace cachalot {

class NumberReader {
 public:
  static constexpr int32_t kDead = -1;

  explicit NumberReader(const NumberRules& rules);

  int32_t start() const { return 0; }
  int32_t next(int32_t state, uint8_t byte);
  /** Whether the number may end. */
  bool accepts(int32_t state) const;
  size_t bytes() const { return states_.size() * (sizeof(State) + 16); }
  size_t size() const { return states_.size(); }
  /** Forgets all states but the first `n`. */
  void rewind(size_t n) { states_.rewind(n); }

 private:
  enum class At { kStart, kMinus, kWhole, kPoint, kFraction, kE, kSign, kExponent };
  struct State {
    At at = At::kStart;
    bool is_negative = false;
    int n_digits = 0;  // of the whole part or the fraction
    int64_t whole = 0, fraction = 0;
    int n_whole = 0, exponent = 0;  // of a number of any size
    bool is_small = false;          // its exponent is negative
    bool operator==(const State&) const = default;
  };
  struct Hash {
    size_t operator()(const State& state) const;
  };

  bool read(State* state, uint8_t byte) const;
  bool read_digit(State* state, int digit) const;
  bool lives(const State& state) const;
  bool may_have_fraction(const State& state) const;
  bool rounds_well(const State& state) const;

  NumberRules rules_;
  Interned<State, Hash> states_;
};

}  // namespace cachalot
