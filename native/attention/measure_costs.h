// Measures what attention costs on this machine. With these costs the planner chooses which
// sequences read together. They are kept in a file, because machine and kernels stay the same.
#pragma once

#include <string>

#include "attention/costs.h"
#include "backend/backend.h"

namespace cachalot {

/** A few milliseconds with all of the backend's threads, on keys and values that lie in a cache. */
AttentionCosts measure_attention_costs(Backend& backend, KvFormat format, int head_dim);

/** Reads the file, if it was written for the same device, kernels and shape; else measures and
 * writes it. A folder that cannot be written costs a measurement per load, no more. `folder`: empty
 * to keep nothing. `machine`: a name that tells this machine from others that share the folder. */
AttentionCosts load_attention_costs(Backend& backend, KvFormat format, int head_dim,
                                    const std::string& folder, const std::string& machine);

}  // namespace cachalot
