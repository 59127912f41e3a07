// Draws one token per row by the Gumbel-max trick; see SampleRow in backend/plan_records.h and
// cpu/sample.cpp, whose order of filters this follows. One block of threads per row, which walks
// the vocabulary some times; what filters leave is never listed, but known by the least key that
// passes.

#include "backend/noise.h"
#include "cuda/device/select.h"
#include "cuda/launchers.h"

namespace cachalot::cuda {

namespace {

constexpr float kOne = 549755813888.0f;  // 2^39: a weight of 1 as a whole number

/** What a token must meet to be drawn. */
struct Filters {
  float threshold = -INFINITY;  // of the logit
  Key likelihood = 0, typicality = 0;
  float least_weight = 0.0f;
};

class Row {
 public:
  SIMT_DEV Row(const float* logits, int vocabulary, const SampleRow& how, SelectMemory& memory)
      : logits_(logits), vocabulary_(vocabulary), how_(how), memory_(memory) {}

  SIMT_DEV void set_logits(const float* logits) { logits_ = logits; }

  /** The largest logit; false if there is a NaN, or nothing finite. */
  SIMT_DEV bool find_max() {
    float max = -INFINITY, bad = 0.0f;
    for (int i = threadIdx.x; i < vocabulary_; i += kReduceThreads) {
      max = fmaxf(max, logits_[i]);
      if (logits_[i] != logits_[i]) bad = 1.0f;
    }
    max_ = max_of_block(max);
    return max_of_block(bad) == 0.0f && fabsf(max_) < INFINITY;
  }

  /** log(sum(e^logit)) */
  SIMT_DEV double log_total() const {
    float sum = 0.0f;
    for (int i = threadIdx.x; i < vocabulary_; i += kReduceThreads)
      sum += exp2f((logits_[i] - max_) * kLog2E);
    return max_ + log(static_cast<double>(sum_of_block(sum)));
  }

  SIMT_DEV int draw() {
    if (how_.temperature <= 0.0f) return largest();
    find_filters();
    Best best{0.0, -1};
    float rough_best = 0.0f;  // best's value, from the largest logit on
    const float inverse = 1.0f / how_.temperature;
    for (int token = threadIdx.x; token < vocabulary_; token += kReduceThreads) {
      if (!passes(token)) continue;
      const uint32_t bits = noise_bits(how_.noise_key, token);
      // Most lose by so much that a rough sum tells.
      const float rough = (logits_[token] - max_) * inverse + 0.6931472f * (__clz(~bits) + 1);
      if (best.token >= 0 && rough + 0.01f < rough_best) continue;
      const double logit = static_cast<double>(logits_[token]) / how_.temperature;
      const double value = logit - log(-log(noise_uniform(bits)));
      if (best.token < 0 || value > best.value) {
        best = {value, token};
        rough_best = static_cast<float>(value - static_cast<double>(max_) / how_.temperature);
      }
    }
    return best_of_block(best).token;
  }

  /** The likeliest tokens, best first. */
  SIMT_DEV void find_top(double total, SampledToken* top) const {
    using List = int[kMaxTopTokens];
    SIMT_SHARED(List, list);
    SIMT_SHARED(int, n_found);
    const Key least = select_largest<false>(
        memory_, vocabulary_, static_cast<Weight64>(how_.n_top),
        [&](int token, const auto& take) { take(likelihood_key(logits_[token], token), 1); });
    __syncthreads();
    if (threadIdx.x == 0) n_found = 0;
    __syncthreads();
    for (int token = threadIdx.x; token < vocabulary_; token += kReduceThreads)
      if (likelihood_key(logits_[token], token) >= least) list[atomicAdd(&n_found, 1)] = token;
    __syncthreads();
    for (int i = threadIdx.x; i < how_.n_top; i += kReduceThreads) {
      if (i >= n_found) {
        top[i] = {-1, -INFINITY};
        continue;
      }
      int place = 0;  // as many are likelier
      for (int j = 0; j < n_found; j++)
        place +=
            likelihood_key(logits_[list[j]], list[j]) > likelihood_key(logits_[list[i]], list[i]);
      top[place] = {list[i], static_cast<float>(static_cast<double>(logits_[list[i]]) - total)};
    }
  }

 private:
  SIMT_DEV int largest() const {
    Best best{0.0, -1};
    for (int token = threadIdx.x; token < vocabulary_; token += kReduceThreads)
      if (best.token < 0 || logits_[token] > best.value) best = {logits_[token], token};
    return best_of_block(best).token;
  }

  /** Of the likeliest token's: e^((logit - max) / temperature). */
  SIMT_DEV float weight(int token) const {
    return exp2f((logits_[token] - max_) * (kLog2E / how_.temperature));
  }
  SIMT_DEV Weight64 whole_weight(int token) const {
    return max(static_cast<Weight64>(weight(token) * kOne), static_cast<Weight64>(1));
  }
  /** Of the token itself, in natural logarithms, by its share of `log_weight`. */
  SIMT_DEV float surprise(int token, float log_weight) const {
    return log_weight - (logits_[token] - max_) / how_.temperature;
  }

  SIMT_DEV bool passes(int token) const {
    if (!(logits_[token] >= filters_.threshold)) return false;
    if (likelihood_key(logits_[token], token) < filters_.likelihood) return false;
    if (filters_.typicality != 0 && typicality_key(token) < filters_.typicality) return false;
    return filters_.least_weight == 0.0f || weight(token) >= filters_.least_weight;
  }

  SIMT_DEV void find_filters() {
    filters_.threshold = max_ - kNoiseRange * how_.temperature;
    if (how_.top_k > 0) keep_first(static_cast<Weight64>(how_.top_k));
    if (how_.typical_p >= 1 && how_.top_p >= 1 && how_.min_p <= 0) return;
    // Without top-k those too unlikely to be candidates count, too.
    Weight64 total = total_weight(how_.top_k <= 0);
    if (how_.typical_p < 1) {
      keep_typical(total);
      total = total_weight(false);
    }
    if (how_.top_p < 1) keep_likeliest(share_of(how_.top_p, total));
    if (how_.min_p > 0) keep_min_p();
  }

  SIMT_DEV static Weight64 share_of(float p, Weight64 total) {
    return static_cast<Weight64>(ceil(static_cast<double>(p) * static_cast<double>(total)));
  }

  SIMT_DEV Weight64 total_weight(bool of_all) const {
    Weight64 total = 0;
    for (int token = threadIdx.x; token < vocabulary_; token += kReduceThreads)
      if (of_all || passes(token)) total += whole_weight(token);
    return sum_of_block(total);
  }

  /** As many as the target says. */
  SIMT_DEV void keep_first(Weight64 target) {
    filters_.likelihood =
        select_largest<false>(memory_, vocabulary_, target, [&](int token, const auto& take) {
          if (passes(token)) take(likelihood_key(logits_[token], token), 1);
        });
  }
  /** Until their weights reach the target. */
  SIMT_DEV void keep_likeliest(Weight64 target) {
    filters_.likelihood =
        select_largest<true>(memory_, vocabulary_, target, [&](int token, const auto& take) {
          if (passes(token)) take(likelihood_key(logits_[token], token), whole_weight(token));
        });
  }

  SIMT_DEV Key typicality_key(int token) const {
    const float distance = fabsf(surprise(token, log_weight_) - entropy_);
    return ~(static_cast<Key>(ordered_bits(distance)) << 32 | static_cast<uint32_t>(token));
  }

  /** Those whose surprise is nearest to the expected one (Meister et al. 2022). */
  SIMT_DEV void keep_typical(Weight64 total) {
    log_weight_ = static_cast<float>(log(static_cast<double>(total) / kOne));
    float entropy = 0.0f;
    for (int token = threadIdx.x; token < vocabulary_; token += kReduceThreads) {
      if (!passes(token)) continue;
      const float value = surprise(token, log_weight_);
      entropy += expf(-value) * value;
    }
    entropy_ = sum_of_block(entropy);
    filters_.typicality = select_largest<true>(
        memory_, vocabulary_, share_of(how_.typical_p, total), [&](int token, const auto& take) {
          if (passes(token)) take(typicality_key(token), whole_weight(token));
        });
  }

  SIMT_DEV void keep_min_p() {
    float largest = 0.0f;
    for (int token = threadIdx.x; token < vocabulary_; token += kReduceThreads)
      if (passes(token)) largest = fmaxf(largest, weight(token));
    filters_.least_weight = how_.min_p * max_of_block(largest);
  }

  const float* logits_;
  const int vocabulary_;
  const SampleRow& how_;
  SelectMemory& memory_;
  float max_ = 0.0f, log_weight_ = 0.0f, entropy_ = 0.0f;
  Filters filters_;
};

/** The row's logits after its mask and its edits, in memory of their own. `log_total`: of the
 * weights of all tokens. */
SIMT_DEV void change_logits(const SampleRow& how, const LogitEdit* edits, const uint32_t* mask,
                            const float* logits, int vocabulary, double log_total, float* edited) {
  for (int i = threadIdx.x; i < vocabulary; i += kReduceThreads) {
    const bool may = mask == nullptr || (mask[i / 32] >> (i % 32) & 1) != 0;
    edited[i] = may ? logits[i] : -INFINITY;
  }
  __syncthreads();
  for (int i = threadIdx.x; i < how.n_edits; i += kReduceThreads) {
    const LogitEdit& edit = edits[how.first_edit + i];
    float& logit = edited[edit.token];
    const double own = edit.pull == 0 ? 0 : edit.pull * exp(logit - log_total);
    logit = (logit > 0 ? logit / edit.repetition : logit * edit.repetition) + edit.add;
    logit -= static_cast<float>(own);
  }
  __syncthreads();
}

SIMT_DEV SampledToken sample_row(const SampleArgs& args, const SampleRow& how) {
  const int64_t at = static_cast<int64_t>(blockIdx.x) * args.vocabulary;
  const float* logits = args.logits + at;
  SampledToken* top = args.top + blockIdx.x * kMaxTopTokens;
  SIMT_SHARED(SelectMemory, memory);
  Row row(logits, args.vocabulary, how, memory);
  const SampledToken none{kNoNumber, NAN};
  for (int i = threadIdx.x; i < how.n_top; i += kReduceThreads) top[i] = {-1, -INFINITY};
  if (!row.find_max()) return none;
  const double total = row.log_total();
  if (how.n_top > 0) row.find_top(total, top);
  int token = how.forced_token;
  if (token < 0) {
    if (how.n_edits > 0 || how.mask >= 0) {
      const uint32_t* mask =
          how.mask < 0 ? nullptr : args.masks + how.mask * mask_words(args.vocabulary);
      change_logits(how, args.edits, mask, logits, args.vocabulary, total, args.edited + at);
      row.set_logits(args.edited + at);
      if (!row.find_max()) return mask == nullptr ? none : SampledToken{kNothingAllowed, NAN};
    }
    token = row.draw();
  }
  return {token, static_cast<float>(static_cast<double>(logits[token]) - total)};
}

__global__ void __launch_bounds__(kReduceThreads, 1) sample_kernel(SampleArgs args) {
  const SampledToken sampled = sample_row(args, args.step->samples[blockIdx.x]);
  if (threadIdx.x == 0) args.out[blockIdx.x] = sampled;
}

}  // namespace

void sample(const LaunchContext& context, const SampleArgs& args) {
  simt::launch(sample_kernel, dim3(args.n_rows), dim3(kReduceThreads), 0, context.stream, args);
}

}  // namespace cachalot::cuda
