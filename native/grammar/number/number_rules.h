// Which numbers fit, told by their decimal digits: magnitudes are compared, for each sign.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace cachalot {

/** Doubles tell all numbers of so many digits apart. */
constexpr int kSureDigits = 15;

/** A magnitude: an integer below 10^18, and the 18 digits behind the point. */
struct Decimal {
  static constexpr int kDigits = 18;
  static constexpr int64_t kUnit = 1'000'000'000'000'000'000;

  int64_t whole = 0, fraction = 0;
  auto operator<=>(const Decimal&) const = default;
};

struct NumberBound {
  double value;
  bool is_open = false;  // the value itself does not fit
};

struct NumberLimits {
  bool integers = true, fractions = true;  // what may come at all
  std::optional<NumberBound> lower, upper;
  std::vector<double> multiples;  // it is a multiple of each
  std::vector<double> excluded;
};

class NumberRules {
 public:
  /** Throws invalid_argument if 18 digits do not tell the multiples. */
  explicit NumberRules(const NumberLimits& limits);

  /** Whether nothing but integers is asked for: numbers may then be of any size. */
  bool is_free() const { return is_free_; }
  int whole_digits() const { return whole_digits_; }
  int fraction_digits() const { return fraction_digits_; }
  bool fits(bool is_negative, const Decimal& magnitude) const {
    return any(is_negative, magnitude, magnitude);
  }
  bool fits(double value) const;
  /** Whether the double that a reader makes of a number is within the bounds, too: its 16th digit
   * may round it to one of them. */
  bool fits_rounded(double value) const;
  /** Whether a number from `first` to `last` fits. */
  bool any(bool is_negative, Decimal first, Decimal last) const;
  bool any() const;

 private:
  struct Side {
    Decimal first, last;
  };

  void set_multiples(std::vector<double> multiples, bool are_integers);
  Side side_of(const NumberLimits& limits, bool is_negative) const;
  int64_t count(const Decimal& first, const Decimal& last) const;

  bool is_free_ = false, needs_fraction_ = false;
  int whole_digits_ = Decimal::kDigits, fraction_digits_ = 0;
  std::array<Side, 2> sides_;  // of zero and positive numbers; of negative ones
  std::optional<NumberBound> lower_, upper_;
  int64_t step_ = 0;  // multiples of step_ / 10^fraction_digits_; 0: of nothing
  std::vector<std::pair<bool, Decimal>> excluded_;
};

}  // namespace cachalot
