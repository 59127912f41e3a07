// Steps that come again, as CUDA graphs: a list of launches that has been seen before is captured,
// and from then on is one launch. What changes from step to step lies in device memory.
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
  std::list<Known> known_;  // what was used last comes first
};

}  // namespace cachalot::cuda
