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
  void add_samples(std::span<const SampleRow> rows);

  /** Says where the device has its list of slabs. */
  void set_slabs(uint8_t* address);
  /** The tables that the step began with. */
  const StepTables& tables() const { return tables_; }
  size_t size() const { return bytes_.size(); }
  /** Writes to `out` the bytes that belong at `device`. */
  void write(uint8_t* out, uint8_t* device) const;

 private:
  template <typename T>
  void put(size_t pointer, std::span<const T> values);
  template <typename T>
  void set(size_t at, const T& value);
  void point(size_t pointer, size_t target);
  void add_new_slabs(const StepTables& tables);
  void add_plan(const AttentionPlan& plan, size_t header);

  const int n_multiprocessors_;
  StepTables tables_;
  std::vector<uint8_t> bytes_;
  struct Pointer {
    size_t at, target;  // offsets in bytes_
  };
  std::vector<Pointer> pointers_;
};

}  // namespace cachalot::cuda
