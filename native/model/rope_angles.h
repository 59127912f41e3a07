// The table of rotary angles on the device. It is filled as positions are used, because a file may
// claim a context of millions of tokens; and it grows beyond the context where queries are rotated
// by larger positions.
#pragma once

#include <memory>

#include "backend/backend.h"
#include "model/rope.h"

namespace cachalot {

class RopeAngles {
 public:
  /** `n_expected`: positions that there is room for from the beginning. */
  RopeAngles(const RopeConfig& config, Backend& backend, int n_expected);

  /** Fills the table for positions below n. Called between steps. */
  void cover(int n);
  const RopeTable& table() const { return table_; }

 private:
  void make_room(int n);

  RopeConfig config_;
  Backend& backend_;
  std::unique_ptr<Buffer> cosines_, sines_;
  RopeTable table_{};
  int n_filled_ = 0, n_room_ = 0;
};

}  // namespace cachalot
