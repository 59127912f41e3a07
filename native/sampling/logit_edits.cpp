#include "sampling/logit_edits.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace cachalot {

namespace {

using Edits = std::map<int32_t, LogitEdit>;

constexpr float kMaxPenalty = 1e6f;  // no logit comes near it, and sums of it are finite

LogitEdit& edit_of(Edits* edits, int32_t token) {
  return edits->try_emplace(token, LogitEdit{token}).first->second;
}

/** The last `window` tokens; all of them for 0. */
std::span<const int32_t> last(std::span<const int32_t> tokens, int window) {
  const auto n = static_cast<size_t>(window);
  return window == 0 || n >= tokens.size() ? tokens : tokens.last(n);
}

/** The repetition penalty is for tokens of prompt and answer. Frequency and presence penalties are
 * for those of the answer alone, as users of other engines expect. */
void add_penalties(const SamplingOptions& options, std::span<const int32_t> tokens, int n_prompt,
                   Edits* edits) {
  const auto seen = last(tokens, options.penalty_window);
  const size_t first = tokens.size() - seen.size();
  if (options.repetition_penalty != 1) {
    for (const int32_t token : seen) edit_of(edits, token).repetition = options.repetition_penalty;
  }
  if (options.frequency_penalty == 0 && options.presence_penalty == 0) return;
  std::map<int32_t, int> counts;
  const auto prompt = static_cast<size_t>(n_prompt);
  for (size_t i = std::max(first, prompt); i < tokens.size(); i++) counts[tokens[i]]++;
  for (const auto& [token, count] : counts) {
    edit_of(edits, token).add -=
        options.presence_penalty + options.frequency_penalty * static_cast<float>(count);
  }
}

/** For each i > 0, how many tokens that end i before the end equal the last ones of `tokens`: the Z
 * function of the reversed text, in linear time. A breaker is equal to nothing. */
std::vector<int> repeated_lengths(std::span<const int32_t> tokens,
                                  const std::vector<int32_t>& breakers) {
  const int n = static_cast<int>(tokens.size());
  const auto at = [&](int i) { return tokens[static_cast<size_t>(n - 1 - i)]; };
  const auto equal = [&](int a, int b) {
    return at(a) == at(b) && !std::binary_search(breakers.begin(), breakers.end(), at(a));
  };
  std::vector<int> lengths(tokens.size(), 0);
  int left = 0, right = 0;  // the stretch [left, right) is known to equal the beginning
  for (int i = 1; i < n; i++) {
    int length = i < right ? std::min(right - i, lengths[static_cast<size_t>(i - left)]) : 0;
    while (i + length < n && equal(length, i + length)) length++;
    lengths[static_cast<size_t>(i)] = length;
    if (i + length > right) {
      left = i;
      right = i + length;
    }
  }
  return lengths;
}

/** Each token that followed an earlier occurrence of the last tokens would lengthen the repetition
 * by one. */
void add_dry(const DryOptions& options, std::span<const int32_t> tokens, Edits* edits) {
  const auto seen = last(tokens, options.window);
  const auto lengths = repeated_lengths(seen, options.breakers);
  std::map<int32_t, int> longest;
  for (size_t i = 1; i < lengths.size(); i++) {
    if (lengths[i] < options.allowed_length) continue;
    const int32_t next = seen[seen.size() - i];  // follows the occurrence that ends i earlier
    int& known = longest[next];
    known = std::max(known, lengths[i]);
  }
  for (const auto& [token, length] : longest) {
    const float excess = static_cast<float>(length - options.allowed_length);
    const float penalty = options.multiplier * std::pow(options.base, excess);
    edit_of(edits, token).add -= std::min(kMaxPenalty, penalty);
  }
}

/** Tokens below kLeastShare of the likeliest one's probability are left as they are. */
void add_pull(const Pull& pull, Edits* edits) {
  constexpr float kLeastShare = 0.1f;
  for (const auto& [token, logprob] : pull.likeliest) {
    if (token < 0 || logprob < pull.likeliest.front().logprob + std::log(kLeastShare)) return;
    LogitEdit& edit = edit_of(edits, token);
    edit.add += pull.factor * std::exp(logprob);
    edit.pull = pull.factor;
  }
}

}  // namespace

std::vector<LogitEdit> logit_edits(const SamplingOptions& options, std::span<const int32_t> tokens,
                                   int n_prompt, const Pull& pull) {
  Edits edits;
  if (options.has_penalties()) add_penalties(options, tokens, n_prompt, &edits);
  if (options.dry.multiplier > 0) add_dry(options.dry, tokens, &edits);
  for (const auto& [token, bias] : options.bias) edit_of(&edits, token).add += bias;
  if (pull.factor != 0) add_pull(pull, &edits);
  std::vector<LogitEdit> list;
  for (const auto& [token, edit] : edits) list.push_back(edit);
  return list;
}

}  // namespace cachalot
