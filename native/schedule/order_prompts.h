// The order in which a batch's prompts are best run (BatchLLM, Zheng et al. 2025). Prompts that
// share a prefix form a cluster and run together, so that the prefix lives briefly. Clusters that
// generate many tokens per computed token come first, so their decoding mixes with the prompts of
// the others.
#pragma once

#include <cstdint>
#include <vector>

namespace cachalot {

struct BatchOrder {
  std::vector<int32_t> order;  // prompt at each rank
  std::vector<int32_t>
      shared_with_next;         // tokens that ranks i and i + 1 have in common; the last: 0
  int64_t distinct_tokens = 0;  // nodes of the prefix tree: the least that must be computed
};

/** prompts[i]: token ids; max_tokens[i]: the most it generates. Takes as long as sorting texts
 * does, so it should not run on a thread that others wait for. */
BatchOrder order_prompts(const std::vector<std::vector<int32_t>>& prompts,
                         const std::vector<int32_t>& max_tokens);

}  // namespace cachalot
