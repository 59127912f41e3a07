#include "grammar/number/number_reader.h"

#include <charconv>
#include <string>

namespace cachalot {

namespace {

// Of numbers of any size. What JavaScript writes is part of it, and all of it is finite.
constexpr int kMostWhole = 21, kMostFraction = 25, kMostExponent = 308;

int64_t times_ten(int64_t value, int n) {
  for (int i = 0; i < n; i++) value *= 10;
  return value;
}

}  // namespace

NumberReader::NumberReader(const NumberRules& rules) : rules_(rules) { states_.id_of({}); }

size_t NumberReader::Hash::operator()(const State& state) const {
  uint64_t hash = static_cast<uint64_t>(state.at);
  mix(&hash, static_cast<uint64_t>(state.n_digits) << 2 | (state.is_negative ? 2 : 0) |
                 (state.is_small ? 1 : 0));
  mix(&hash, static_cast<uint64_t>(state.whole));
  mix(&hash, static_cast<uint64_t>(state.fraction));
  mix(&hash, static_cast<uint64_t>(state.n_whole) << 32 | static_cast<uint32_t>(state.exponent));
  return static_cast<size_t>(hash);
}

int32_t NumberReader::next(int32_t state, uint8_t byte) {
  State after = states_[state];
  return read(&after, byte) && lives(after) ? states_.id_of(after) : kDead;
}

bool NumberReader::read(State* state, uint8_t byte) const {
  const bool is_digit = byte >= '0' && byte <= '9', is_e = byte == 'e' || byte == 'E';
  if (is_digit) return read_digit(state, byte - '0');
  switch (state->at) {
    case At::kStart: return byte == '-' && (*state = {At::kMinus, true}, true);
    case At::kWhole:
    case At::kFraction:
      if (byte == '.' && state->at == At::kWhole && may_have_fraction(*state)) {
        state->at = At::kPoint;
        state->n_digits = 0;
        return true;
      }
      if (!is_e || !rules_.is_free() || rules_.fraction_digits() == 0) return false;
      *state = {.at = At::kE, .n_whole = state->n_whole};
      return true;
    case At::kE:
      state->at = At::kSign;
      state->is_small = byte == '-';
      return byte == '+' || byte == '-';
    default: return false;
  }
}

/** Not behind so many digits that no further one can be told. */
bool NumberReader::may_have_fraction(const State& state) const {
  return rules_.fraction_digits() > 0 && (rules_.is_free() || state.n_digits < kSureDigits);
}

bool NumberReader::read_digit(State* state, int digit) const {
  const bool is_free = rules_.is_free();
  switch (state->at) {
    case At::kStart:
    case At::kMinus:
      *state = {At::kWhole, state->is_negative && !is_free, 1, digit};
      if (is_free) state->whole = state->n_whole = digit == 0 ? 0 : 1;
      return true;
    case At::kWhole:
      if (state->whole == 0) return false;  // "01"
      if (is_free) state->n_whole++;
      else state->whole = state->whole * 10 + digit;
      return ++state->n_digits <= (is_free ? kMostWhole : rules_.whole_digits());
    case At::kPoint:
    case At::kFraction:
      state->at = At::kFraction;
      if (is_free) state->whole = 0;
      else state->fraction = state->fraction * 10 + digit;
      return ++state->n_digits <= (is_free ? kMostFraction : rules_.fraction_digits());
    case At::kE:
    case At::kSign:
    case At::kExponent:
      state->at = At::kExponent;
      state->exponent = state->exponent * 10 + digit;
      if (++state->n_digits > 3) return false;
      return state->is_small || state->n_whole + state->exponent <= kMostExponent;
  }
  return false;
}

bool NumberReader::accepts(int32_t state) const {
  const State& one = states_[state];
  const bool ends = one.at == At::kWhole || one.at == At::kFraction || one.at == At::kExponent;
  if (!ends || rules_.is_free()) return ends;
  const int n_missing = one.at == At::kFraction ? Decimal::kDigits - one.n_digits : 0;
  return rules_.fits(one.is_negative, {one.whole, times_ten(one.fraction, n_missing)});
}

/** Whether a number of so many digits that a double does not hold them all fits all the same. */
bool NumberReader::rounds_well(const State& state) const {
  if (state.at != At::kFraction) return true;
  const std::string fraction = std::to_string(state.fraction);
  const std::string whole = std::to_string(state.whole);
  const size_t n =
      state.whole == 0 ? fraction.size() : whole.size() + static_cast<size_t>(state.n_digits);
  if (n <= kSureDigits) return true;
  const std::string zeros(static_cast<size_t>(state.n_digits) - fraction.size(), '0');
  const std::string text = whole + "." + zeros + fraction;
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return n <= 17 && rules_.fits_rounded(state.is_negative ? -value : value);
}

/** Whether digits can follow so that the number fits. */
bool NumberReader::lives(const State& state) const {
  if (rules_.is_free()) return true;
  const bool has_fractions = rules_.fraction_digits() > 0;
  const int64_t most = has_fractions ? Decimal::kUnit - 1 : 0;
  const auto any = [&](const Decimal& first, const Decimal& last) {
    return rules_.any(state.is_negative, first, last);
  };
  switch (state.at) {
    case At::kMinus: return any({}, {times_ten(1, rules_.whole_digits()) - 1, most});
    case At::kWhole: {
      int64_t first = state.whole, last = state.whole;
      for (int n = state.n_digits; n <= rules_.whole_digits(); n++) {
        if (any({first, 0}, {last, most})) return true;
        if (state.whole == 0 || n == rules_.whole_digits()) return false;
        first = first * 10;
        last = last * 10 + 9;
      }
      return false;
    }
    default: {
      if (!rounds_well(state)) return false;
      const int n_missing = Decimal::kDigits - state.n_digits;
      const int64_t unit = times_ten(1, n_missing), first = state.fraction * unit;
      return any({state.whole, first}, {state.whole, first + unit - 1});
    }
  }
}

}  // namespace cachalot
