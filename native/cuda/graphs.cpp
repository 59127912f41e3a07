#include "cuda/graphs.h"

#include <algorithm>
#include <cstring>

namespace cachalot::cuda {

namespace {

constexpr size_t kMostKnown = 64;  // lists, which mostly differ in how many rows decode

uint64_t hash_of(std::span<const Launch> launches) {
  uint64_t hash = launches.size();
  for (const Launch& launch : launches) {
    for (size_t i = 0; i < static_cast<size_t>(launch.size); i += 8) {
      uint64_t word = 0;
      std::memcpy(&word, launch.args + i, std::min<size_t>(8, sizeof launch.args - i));
      hash = (hash ^ word) * 0x9e3779b97f4a7c15;
      hash ^= hash >> 29;
    }
  }
  return hash;
}

bool equal(std::span<const Launch> a, std::span<const Launch> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Launch& x, const Launch& y) {
    return x.op == y.op && x.size == y.size &&
           std::memcmp(x.args, y.args, static_cast<size_t>(x.size)) == 0;
  });
}

}  // namespace

Graphs::~Graphs() {
  for (const Known& known : known_) forget(known);
}

void Graphs::forget(const Known& known) const {
  if (known.graph != nullptr) device_->library().release_graph(device_->get(), known.graph);
}

void Graphs::run(std::span<const Launch> launches) {
  const Library& library = device_->library();
  const auto n = static_cast<int32_t>(launches.size());
  const uint64_t hash = hash_of(launches);
  const auto found = std::find_if(known_.begin(), known_.end(), [&](const Known& known) {
    return known.hash == hash && equal(known.launches, launches);
  });
  if (found == known_.end()) {
    known_.push_front({hash, {launches.begin(), launches.end()}, nullptr, false});
    if (known_.size() > kMostKnown) {
      forget(known_.back());
      known_.pop_back();
    }
    return device_->check(library.run(device_->get(), launches.data(), n), "launching kernels");
  }
  known_.splice(known_.begin(), known_, found);
  Known& known = known_.front();
  if (known.graph == nullptr && !known.is_refused) {
    known.is_refused = library.make_graph(device_->get(), launches.data(), n, &known.graph) != 0;
  }
  if (known.is_refused) {  // for example no memory: launches run one after the other
    return device_->check(library.run(device_->get(), launches.data(), n), "launching kernels");
  }
  device_->check(library.run_graph(device_->get(), known.graph), "launching a graph");
}

}  // namespace cachalot::cuda
