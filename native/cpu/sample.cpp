// Draws one token per row by the Gumbel-max trick with noise keyed by (seed, completion, position,
// token): the draw is a pure function of the logits and the key, whatever else is in the step.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "backend/noise.h"
#include "base/check.h"
#include "cpu/device/exp2.h"
#include "cpu/ops.h"
#include "cpu/truncate.h"

namespace cachalot::cpu {

namespace {

/** The token of the largest logit, the first among equals. */
int32_t largest(const float* logits, float max) {
  int32_t token = 0;
  while (logits[token] != max) token++;
  return token;
}

/** Tokens that may be drawn, before the filters that need weights. */
std::vector<Candidate> candidates_of(const float* logits, int32_t vocabulary, float max,
                                     const SampleRow& row) {
  const float threshold = max - kNoiseRange * row.temperature;
  if (row.top_k > 0) return top_k(logits, vocabulary, row.top_k, threshold);
  std::vector<Candidate> candidates;
  for (int32_t token = 0; token < vocabulary; token++)
    if (logits[token] >= threshold) candidates.push_back({token, logits[token], 0});
  return candidates;
}

bool needs_weights(const SampleRow& row) {
  return row.typical_p < 1 || row.top_p < 1 || row.min_p > 0;
}

/** The candidate of the largest logit / temperature + noise; among equals the smaller id. The
 * noise of most candidates need not be computed, because they cannot win. */
int32_t draw_among(const std::vector<Candidate>& candidates, const SampleRow& row) {
  const uint64_t key = row.noise_key;
  int32_t best = -1;
  double best_value = 0;
  for (const Candidate& candidate : candidates) {
    const double logit = static_cast<double>(candidate.logit) / row.temperature;
    const uint32_t bits = noise_bits(key, candidate.token);
    if (best >= 0 && logit + most_gumbel(bits) < best_value) continue;
    const double value = logit + gumbel(bits);
    if (best < 0 || value > best_value || (value == best_value && candidate.token < best)) {
      best = candidate.token;
      best_value = value;
    }
  }
  return best;
}

int32_t draw(const Kernels& kernels, const float* logits, int32_t vocabulary, float max,
             const SampleRow& row) {
  if (row.temperature <= 0.0f) return largest(logits, max);
  auto candidates = candidates_of(logits, vocabulary, max, row);
  if (needs_weights(row)) {
    double total = 0;
    for (Candidate& candidate : candidates) {
      candidate.weight = std::exp((static_cast<double>(candidate.logit) - max) / row.temperature);
      total += candidate.weight;
    }
    if (row.top_k <= 0)  // tokens too unlikely to be candidates count, too
      total = kernels.sum_exp2(logits, vocabulary, max, kLog2E / row.temperature);
    truncate(row, total, &candidates);
  }
  return draw_among(candidates, row);
}

/** Takes the logits of tokens that have no bit out of the draw. */
void apply_mask(const uint32_t* mask, int32_t vocabulary, float* logits) {
  for (int32_t first = 0; first < vocabulary; first += 32) {
    const uint32_t word = mask[first / 32];
    if (word == ~uint32_t{0}) continue;
    const int32_t end = std::min(vocabulary, first + 32);
    for (int32_t token = first; token < end; token++)
      if ((word >> (token - first) & 1) == 0) logits[token] = -INFINITY;
  }
}

/** Of one row, what changes its logits. */
struct Changes {
  std::span<const LogitEdit> edits;
  const uint32_t* mask;  // or null
};

/** The row's logits after its edits and mask, in `memory` of V floats if there are any.
 * `log_total`: of the weights of all tokens. */
const float* changed(const float* logits, int32_t vocabulary, const Changes& changes,
                     double log_total, float* memory) {
  if (changes.edits.empty() && changes.mask == nullptr) return logits;
  std::memcpy(memory, logits, static_cast<size_t>(vocabulary) * sizeof(float));
  for (const LogitEdit& edit : changes.edits) {
    float& logit = memory[edit.token];
    const double own = edit.pull == 0 ? 0 : edit.pull * std::exp(logit - log_total);
    logit = (logit > 0 ? logit / edit.repetition : logit * edit.repetition) + edit.add;
    logit -= static_cast<float>(own);
  }
  if (changes.mask != nullptr) apply_mask(changes.mask, vocabulary, memory);
  return memory;
}

/** The likeliest tokens, best first: a list that stays sorted by insertion, as it is short. */
void find_top(const float* logits, int32_t vocabulary, const SampleRow& row, double log_total,
              SampledToken* top) {
  int n = 0;
  for (int32_t token = 0; token < vocabulary; token++) {
    const float logit = logits[token];
    if (n == row.n_top && !(logit > top[n - 1].logprob)) continue;
    int place = n < row.n_top ? n++ : n - 1;
    for (; place > 0 && top[place - 1].logprob < logit; place--) top[place] = top[place - 1];
    top[place] = {token, logit};
  }
  for (int i = 0; i < n; i++)
    top[i].logprob = static_cast<float>(static_cast<double>(top[i].logprob) - log_total);
  for (int i = n; i < row.n_top; i++) top[i] = {-1, -INFINITY};
}

SampledToken sample_row(const Kernels& kernels, const float* logits, int32_t vocabulary,
                        const SampleRow& row, const Changes& changes, float* memory,
                        SampledToken* top) {
  float max;
  int32_t has_nan;
  kernels.max_value(logits, vocabulary, &max, &has_nan);
  if (has_nan != 0 || !std::isfinite(max)) return {kNoNumber, NAN};
  const double log_total = max + std::log(kernels.sum_exp2(logits, vocabulary, max, kLog2E));
  if (row.n_top > 0) find_top(logits, vocabulary, row, log_total, top);
  int32_t token = row.forced_token;
  if (token < 0) {
    const float* values = changed(logits, vocabulary, changes, log_total, memory);
    if (values != logits) kernels.max_value(values, vocabulary, &max, &has_nan);
    if (has_nan != 0 || !std::isfinite(max))
      return {changes.mask == nullptr ? kNoNumber : kNothingAllowed, NAN};
    token = draw(kernels, values, vocabulary, max, row);
  }
  return {token, static_cast<float>(static_cast<double>(logits[token]) - log_total)};
}

}  // namespace

void sample(const OpContext& context, const SampleParams& params) {
  const auto vocabulary = static_cast<size_t>(params.vocabulary);
  const size_t floats = params.edits.empty() && params.masks.empty() ? 0 : vocabulary;
  auto* memory = reinterpret_cast<float*>(
      context.scratch.get(floats * sizeof(float) * static_cast<size_t>(context.pool.size())));
  context.pool.parallel_for(static_cast<int>(params.rows.size()), [&](int row, int thread) {
    const SampleRow& how = params.rows[static_cast<size_t>(row)];
    CHECK(how.n_top == 0 || (params.top != nullptr && how.n_top <= kMaxTopTokens),
          "there is room for the likeliest tokens");
    const Changes changes{
        params.edits.subspan(static_cast<size_t>(how.first_edit), static_cast<size_t>(how.n_edits)),
        how.mask < 0
            ? nullptr
            : params.masks.data() + static_cast<size_t>(how.mask) * mask_words(params.vocabulary)};
    params.out[row] = sample_row(context.kernels, params.logits + int64_t{row} * params.vocabulary,
                                 params.vocabulary, how, changes, memory + floats * thread,
                                 how.n_top == 0 ? nullptr : params.top + row * kMaxTopTokens);
  });
}

}  // namespace cachalot::cpu
