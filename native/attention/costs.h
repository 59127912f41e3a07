// The costs of attention's parts on this machine, measured by attention/measure_costs. They decide
// which sequences read together, never a result.
#pragma once

#include <algorithm>
#include <array>

namespace cachalot {

struct AttentionCosts {
  static constexpr std::array<int, 11> kQueries{1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64};

  /** Microseconds of one KV head of one tile, when kQueries[i] queries read it together. */
  std::array<double, kQueries.size()> tile_us{};
  /** Microseconds of one query's partial result: its own query, its write and its merge. */
  double partial_us = 0;

  /** For any number of queries; more than 64 go in blocks. */
  double tile(int n_queries) const {
    const int whole = n_queries / kQueries.back(), rest = n_queries % kQueries.back();
    return whole * tile_us.back() + (rest == 0 ? 0 : between(rest));
  }

 private:
  double between(int n) const {
    const auto above = std::lower_bound(kQueries.begin(), kQueries.end(), n);
    const auto i = static_cast<size_t>(above - kQueries.begin());
    if (*above == n) return tile_us[i];
    const double share = static_cast<double>(n - kQueries[i - 1]) / (*above - kQueries[i - 1]);
    return tile_us[i - 1] + share * (tile_us[i] - tile_us[i - 1]);
  }
};

}  // namespace cachalot
