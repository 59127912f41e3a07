#include "model/rope_angles.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace cachalot {

namespace {

constexpr int kStep = 1024;  // positions by which the table is filled

}  // namespace

RopeAngles::RopeAngles(const RopeConfig& config, Backend& backend, int n_expected)
    : config_(config), backend_(backend) {
  make_room(n_expected);
}

void RopeAngles::make_room(int n) {
  const size_t bytes =
      static_cast<size_t>(n) * static_cast<size_t>(config_.dims / 2) * sizeof(float);
  auto cosines = backend_.allocate(bytes), sines = backend_.allocate(bytes);
  cosines_ = std::move(cosines);
  sines_ = std::move(sines);
  table_ = {cosines_->floats(), sines_->floats(), config_.dims, config_.interleaved};
  n_room_ = n;
  n_filled_ = 0;
}

void RopeAngles::cover(int n) {
  if (n <= n_filled_) return;
  if (n > n_room_) make_room(std::max(n, 2 * n_room_));
  const int end = std::min(n_room_, (n + kStep - 1) / kStep * kStep);
  const auto frequencies = rope_frequencies(config_);
  const double size = config_.attention_factor;
  std::vector<float> cosines, sines;
  for (int position = n_filled_; position < end; position++) {
    for (const double frequency : frequencies) {
      const double angle = position * frequency;
      cosines.push_back(static_cast<float>(size * std::cos(angle)));
      sines.push_back(static_cast<float>(size * std::sin(angle)));
    }
  }
  const size_t offset = static_cast<size_t>(n_filled_) * frequencies.size() * sizeof(float);
  cosines_->write(offset, cosines);
  sines_->write(offset, sines);
  n_filled_ = end;
}

}  // namespace cachalot
