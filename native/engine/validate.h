// What a request may ask for: checked once more below JavaScript, before it is queued.
#pragma once

#include "engine/request.h"
#include "model/config.h"

namespace cachalot {

/** Throws invalid_argument or context_overflow. */
void validate_request(const Request& request, const ModelConfig& config, int context_length);

}  // namespace cachalot
