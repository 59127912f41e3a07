#include "grammar/number/number_rules.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <string>
#include <string_view>

#include "base/checked_math.h"
#include "base/error.h"

namespace cachalot {

namespace {

constexpr Decimal kLargest{Decimal::kUnit - 1, Decimal::kUnit - 1};

int64_t power_of_ten(int n) {
  int64_t value = 1;
  for (int i = 0; i < n; i++) value *= 10;
  return value;
}

/** The digits of a double that tell it from its neighbours. */
std::string digits_of(double value) {
  char text[400];
  const auto end =
      std::to_chars(text, text + sizeof text, std::abs(value), std::chars_format::fixed).ptr;
  return {text, end};
}

struct Rounded {
  Decimal value;
  bool is_exact;  // or too small
};

Rounded magnitude_of(double value) {
  if (std::abs(value) >= 1e18) return {kLargest, false};
  const std::string text = digits_of(value);
  const size_t point = std::min(text.find('.'), text.size());
  Decimal result;
  std::from_chars(text.data(), text.data() + point, result.whole);
  std::string behind = point < text.size() ? text.substr(point + 1) : "";
  const bool is_exact = behind.size() <= Decimal::kDigits;
  behind.resize(Decimal::kDigits, '0');
  std::from_chars(behind.data(), behind.data() + behind.size(), result.fraction);
  return {result, is_exact};
}

Decimal after(Decimal value) {
  if (++value.fraction < Decimal::kUnit) return value;
  return {value.whole + 1, 0};
}

Decimal before(Decimal value) {
  if (value.fraction-- > 0) return value;
  return {value.whole - 1, Decimal::kUnit - 1};
}

/** Nothing fits. */
constexpr Decimal kNone{-1, 0};

}  // namespace

NumberRules::NumberRules(const NumberLimits& limits) : lower_(limits.lower), upper_(limits.upper) {
  is_free_ = limits.integers && !limits.lower && !limits.upper && limits.multiples.empty() &&
             limits.excluded.empty();
  needs_fraction_ = !limits.integers;
  fraction_digits_ = limits.fractions ? Decimal::kDigits : 0;
  if (needs_fraction_) whole_digits_ = kSureDigits - 1;
  if (!limits.multiples.empty()) set_multiples(limits.multiples, !limits.fractions);
  for (const bool is_negative : {false, true})
    sides_[is_negative ? 1 : 0] = side_of(limits, is_negative);
  for (const double value : limits.excluded) {
    const auto [magnitude, is_exact] = magnitude_of(value);
    if (is_exact) excluded_.emplace_back(value < 0, magnitude);
  }
}

void NumberRules::set_multiples(std::vector<double> multiples, bool are_integers) {
  const auto refuse = [] {
    throw Error(ErrorCode::kInvalidArgument,
                "\"multipleOf\" needs more digits than can be told apart here: 18 in all");
  };
  if (are_integers) multiples.push_back(1);
  int scale = 0;
  for (const double value : multiples) {
    const std::string text = digits_of(value);
    const size_t point = text.find('.');
    if (point != text.npos) scale = std::max(scale, static_cast<int>(text.size() - point) - 1);
  }
  if (scale > 12) refuse();
  step_ = 1;
  for (const double value : multiples) {
    const auto [magnitude, is_exact] = magnitude_of(value);
    const auto whole = checked_multiply(static_cast<uint64_t>(magnitude.whole),
                                        static_cast<uint64_t>(power_of_ten(scale)));
    if (!is_exact || !whole || *whole >= Decimal::kUnit) refuse();
    const int64_t one =
        static_cast<int64_t>(*whole) + magnitude.fraction / power_of_ten(Decimal::kDigits - scale);
    const auto step = checked_multiply(static_cast<uint64_t>(step_ / std::gcd(step_, one)),
                                       static_cast<uint64_t>(one));
    if (!step || *step >= Decimal::kUnit) refuse();
    step_ = static_cast<int64_t>(*step);
  }
  whole_digits_ = std::min(whole_digits_, kSureDigits - scale);
  fraction_digits_ = scale;
}

NumberRules::Side NumberRules::side_of(const NumberLimits& limits, bool is_negative) const {
  const Decimal largest{power_of_ten(whole_digits_) - 1, Decimal::kUnit - 1};
  Side side{is_negative ? Decimal{0, 1} : Decimal{}, largest};  // "-0" is written "0"
  const auto& nearer = is_negative ? limits.upper : limits.lower;
  const auto& farther = is_negative ? limits.lower : limits.upper;
  const auto is_beyond_zero = [&](double value) { return is_negative ? value < 0 : value > 0; };
  if (nearer && (is_beyond_zero(nearer->value) || (nearer->value == 0 && nearer->is_open))) {
    const auto [value, is_exact] = magnitude_of(nearer->value);
    const bool is_in = is_exact && !nearer->is_open;
    side.first = std::max(side.first, is_in ? value : after(value));
  }
  if (farther) {
    if (!is_beyond_zero(farther->value) && (farther->value != 0 || is_negative))
      return {Decimal{}, kNone};
    const auto [value, is_exact] = magnitude_of(farther->value);
    const bool is_large = value == kLargest;
    const bool is_in = is_large || !is_exact || !farther->is_open;
    side.last = std::min(largest, is_in ? value : before(value));
  }
  return side;
}

/** How many numbers that may come lie from `first` to `last`, if only integers or multiples do. */
int64_t NumberRules::count(const Decimal& first, const Decimal& last) const {
  const int64_t scale = power_of_ten(fraction_digits_), unit = Decimal::kUnit / scale;
  const int64_t step = std::max<int64_t>(step_, 1);
  const int64_t from = first.whole * scale + (first.fraction + unit - 1) / unit;
  const int64_t to = last.whole * scale + last.fraction / unit;
  const int64_t n_before = from == 0 ? 0 : (from - 1) / step + 1;  // zero is one
  return to < 0 ? 0 : to / step + 1 - n_before;
}

bool NumberRules::any(bool is_negative, Decimal first, Decimal last) const {
  const Side& side = sides_[is_negative ? 1 : 0];
  first = std::max(first, side.first);
  last = std::min(last, side.last);
  if (first > last) return false;
  if (needs_fraction_ && first == last && first.fraction == 0) return false;
  const auto n_excluded = std::ranges::count_if(excluded_, [&](const auto& one) {
    return one.first == is_negative && first <= one.second && one.second <= last;
  });
  if (step_ == 0 && fraction_digits_ > 0) return first < last || n_excluded == 0;
  return count(first, last) > n_excluded;
}

bool NumberRules::fits(double value) const {
  if (is_free_) return fraction_digits_ > 0 || value == std::floor(value);
  const auto [magnitude, is_exact] = magnitude_of(value);
  return is_exact && fits(value < 0, magnitude);
}

bool NumberRules::fits_rounded(double value) const {
  if (lower_ && (lower_->is_open ? value <= lower_->value : value < lower_->value)) return false;
  if (upper_ && (upper_->is_open ? value >= upper_->value : value > upper_->value)) return false;
  if (needs_fraction_ && value == std::floor(value)) return false;
  return fits(value);
}

bool NumberRules::any() const {
  return is_free_ || any(false, {}, kLargest) || any(true, {}, kLargest);
}

}  // namespace cachalot
