#include "schedule/drafting/step_costs.h"

namespace cachalot {

namespace {

constexpr int kFirst = 6;       // steps whose plain mean is taken
constexpr double kRate = 0.15;  // weight of a later one
constexpr double kOutlier = 2;  // times what is known: others had the processor, too

}  // namespace

double StepCosts::ms(int n_rows) const {
  const size_t i = index(n_rows);
  if (counts(i)) return known_[i].ms;
  size_t below = i, above = i + 1;
  while (below > 0 && !counts(below - 1)) below--;
  while (above < known_.size() && !counts(above)) above++;
  const bool has_below = below > 0, has_above = above < known_.size();
  if (!has_below && !has_above) return 0;
  if (!has_below) return known_[above].ms;  // more rows take longer
  const double low = known_[below - 1].ms;
  const auto distance = static_cast<double>(i - (below - 1));
  if (!has_above)
    return low + kPriorShare * distance * known_[below - 1].ms /
                     (1.0 + kPriorShare * static_cast<double>(below - 1));
  const double share = distance / static_cast<double>(above - (below - 1));
  return low + share * std::max(0.0, known_[above].ms - low);
}

void StepCosts::learn(int n_rows, double ms) {
  n_steps_++;
  if (n_rows < 1 || n_rows > kMostRows) return;
  Known& known = known_[index(n_rows)];
  if (known.n == 0 || n_steps_ - known.seen >= kForgotten) known = {ms, 0, 0};
  known.n++;
  known.seen = n_steps_;
  const double rate = known.n <= kFirst ? 1.0 / known.n : kRate;
  known.ms += rate * (std::clamp(ms, known.ms / kOutlier, known.ms * kOutlier) - known.ms);
}

}  // namespace cachalot
