// A step's tables as one block of bytes: a StepHeader, then the arrays that it points to. The
// header lies at one address, so launches that name it are equal from step to step.
#pragma once

#include <vector>

#include "backend/params.h"
#include "cuda/abi.h"

namespace cachalot::cuda {

class StepBuilder {
 public:
  explicit StepBuilder(int n_multiprocessors) : n_multiprocessors_(n_multiprocessors) {}

  void begin(const StepTables& tables);
  /** Their edits are numbered through all rows. */
  void add_samples(std::span<const SampleRow> rows);

  /** Which of the step's plans this is. */
  int plan_index(const AttentionPlan* plan) const;

  size_t size() const { return bytes_.size(); }
  /** The bytes as they are to lie at `device`; written to `out`. */
  void write(uint8_t* out, uint8_t* device) const;

 private:
  template <typename T>
  void put(size_t pointer, const std::vector<T>& values);
  void point(size_t pointer, size_t target);
  void add_plan(const AttentionPlan& plan, size_t header);

  const int n_multiprocessors_;
  std::span<const AttentionPlan> plans_;
  std::vector<uint8_t> bytes_;
  struct Pointer {
    size_t at, target;  // offsets in bytes_
  };
  std::vector<Pointer> pointers_;
};

}  // namespace cachalot::cuda
