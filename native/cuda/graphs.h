// Runs equal steps as CUDA graphs: a list of launches that comes a second time is captured, and
// from then on is one launch. The values that change from step to step are in device memory.
#pragma once

#include <list>
#include <memory>
#include <span>
#include <vector>

#include "cuda/cuda_device.h"

namespace cachalot::cuda {

class Graphs {
 public:
  explicit Graphs(std::shared_ptr<const CudaDevice> device) : device_(std::move(device)) {}
  ~Graphs();
  Graphs(const Graphs&) = delete;
  Graphs& operator=(const Graphs&) = delete;

  void run(std::span<const Launch> launches);

 private:
  struct Known {
    uint64_t hash;
    std::vector<Launch> launches;
    Graph* graph;             // null while it was seen only once
    bool is_refused = false;  // it could not be captured
  };
  void forget(const Known& known) const;

  std::shared_ptr<const CudaDevice> device_;
  std::list<Known> known_;  // the last used comes first
};

}  // namespace cachalot::cuda
