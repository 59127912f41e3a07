// Measures what attention costs on this machine, for the planner's choice of who reads together;
// and keeps it in a file, since the machine and the kernels stay the same.
#pragma once

#include <string>

#include "attention/costs.h"
#include "backend/backend.h"

namespace cachalot {

/** A few milliseconds with all of the backend's threads, on keys and values that lie in a cache. */
AttentionCosts measure_attention_costs(Backend& backend, KvFormat format, int head_dim);

/** What the file says, if it was written for the same device, kernels and shape; else it is
 * measured and written. A folder that cannot be written costs a measurement per load, no more.
 * `folder`: empty to keep nothing. `machine`: whatever tells this machine from others that may
 * share the folder. */
AttentionCosts load_attention_costs(Backend& backend, KvFormat format, int head_dim,
                                    const std::string& folder, const std::string& machine);

}  // namespace cachalot
