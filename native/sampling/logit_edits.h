// Penalties and biases as edits of single logits: how a row's sampling options and the tokens
// before it change the model's distribution.
#pragma once

#include <span>
#include <vector>

#include "backend/params.h"
#include "sampling/sampling_options.h"

namespace cachalot {

/** Another distribution that the model's is drawn towards (RAPID, Chen et al. 2025): to each of its
 * likely tokens' logits `factor` times (its probability less the model's own) is added. */
struct Pull {
  std::span<const SampledToken> likeliest{};  // of the other distribution, best first
  float factor = 0;
};

/** `tokens`: all before the one to draw; the first n_prompt of them are the prompt. The edits are
 * ascending by token, each token once; tokens outside the vocabulary cannot occur. */
std::vector<LogitEdit> logit_edits(const SamplingOptions& options, std::span<const int32_t> tokens,
                                   int n_prompt, const Pull& pull = {});

}  // namespace cachalot
