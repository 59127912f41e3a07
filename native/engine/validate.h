// Checks what a request, an engine's options and a batch ask for: once more below JavaScript, and
// before anything relies on it.
#pragma once

#include <span>

#include "engine/options.h"
#include "engine/request.h"
#include "kv/policies/policy.h"
#include "kv/pool.h"
#include "model/config.h"

namespace cachalot {

/** Throws invalid_argument or context_overflow. */
void validate_request(const Request& request, const ModelConfig& config, int context_length);

/** How many tokens there is room for below a request's preamble, or below a part's. Throws
 * invalid_argument if it cannot stand before them, and context_overflow if one of its texts does
 * not fit into a context. */
int validate_preamble(const RequestPreambleRef& preamble, int vocabulary, int context_length);

/** Throws invalid_argument or context_overflow if no guide can read what a request wants it to.
 * `room`: the tokens that it has room for; 0: there is no draft model. */
void validate_draft_context(const Request& request, int vocabulary, int room);

/** The same for what is done to a request's context: its edits and its window. Throws
 * unsupported_architecture if no context of the model can be edited. */
void validate_edits(const Request& request, const PolicyMaker& policies, const KvPool& pool,
                    int context_length);

/** Throws invalid_argument unless all tokens are in the vocabulary. */
void check_tokens(std::span<const int32_t> tokens, int vocabulary);

/** The same for options. */
void validate_options(const EngineOptions& options);

/** The same for Engine::begin_batch. */
void validate_batch(uint64_t batch, std::span<const int32_t> shared_with_next);

}  // namespace cachalot
