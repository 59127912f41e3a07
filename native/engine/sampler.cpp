#include "engine/sampler.h"

#include <algorithm>

#include "backend/noise.h"
#include "base/error.h"
#include "engine/logit_edits.h"

namespace cachalot {

namespace {

std::vector<std::pair<int32_t, float>> likeliest(const Samples& samples, size_t output, int n) {
  std::vector<std::pair<int32_t, float>> top;
  for (int i = 0; i < n; i++) {
    const SampledToken& token = samples.top[output * kMaxTopTokens + static_cast<size_t>(i)];
    if (token.token >= 0) top.emplace_back(token.token, token.logprob);
  }
  return top;
}

std::optional<FinishReason> accept_token(Sequence* sequence, const Samples& samples, size_t output,
                                         int context_length, StepEvents* events) {
  const Request& request = sequence->request;
  const SampledToken& sampled = samples.tokens[output];
  if (sequence->n_generated() == 0) sequence->first_token = Clock::now();
  sequence->tokens.push_back(sampled.token);
  events->tokens.push_back({request.id, sampled.token, sampled.logprob,
                            likeliest(samples, output, request.sampling.n_top)});
  const auto& stops = request.stop_tokens;
  if (std::find(stops.begin(), stops.end(), sampled.token) != stops.end())
    return FinishReason::kStop;
  const bool full = static_cast<int>(sequence->tokens.size()) >= context_length;
  if (full || sequence->n_generated() >= request.max_tokens) return FinishReason::kLength;
  return std::nullopt;
}

void append_row(const float* logits, size_t row, int vocabulary, size_t n_rows,
                std::vector<float>* values) {
  const float* begin = logits + row * static_cast<size_t>(vocabulary);
  if (values->empty()) values->reserve(n_rows * static_cast<size_t>(vocabulary));  // not twice that
  values->insert(values->end(), begin, begin + vocabulary);
}

}  // namespace

SamplePlan plan_samples(const Step& step) {
  SamplePlan plan;
  for (const auto& entry : step.entries) {
    const Sequence& sequence = *entry.sequence;
    const SamplingOptions& options = sequence.request.sampling;
    for (const int node : entry.output_nodes) {
      // Of the row; the token drawn stands one further.
      const int position = sequence.n_computed() + node;
      SampleRow row;
      row.temperature = options.temperature;
      row.top_k = options.top_k;
      row.typical_p = options.typical_p;
      row.top_p = options.top_p;
      row.min_p = options.min_p;
      row.noise_key = noise_key(options.seed, options.completion, position + 1);
      row.n_top = options.n_top;
      if (sequence.request.kind == RequestKind::kScore)
        row.forced_token = sequence.tokens[static_cast<size_t>(position) + 1];
      if (options.has_edits()) {
        const auto edits = logit_edits(options, sequence.tokens, sequence.n_prompt());
        row.first_edit = static_cast<int32_t>(plan.edits.size());
        row.n_edits = static_cast<int32_t>(edits.size());
        plan.edits.insert(plan.edits.end(), edits.begin(), edits.end());
      }
      plan.wants_top = plan.wants_top || row.n_top > 0;
      plan.rows.push_back(row);
    }
  }
  return plan;
}

std::optional<FinishReason> accept(const StepEntry& entry, const Samples& samples,
                                   size_t first_output, const float* logits, int vocabulary,
                                   int context_length, StepEvents* events) {
  Sequence* sequence = entry.sequence;
  const Request& request = sequence->request;
  for (size_t i = 0; i < entry.output_nodes.size(); i++) {
    const SampledToken& sampled = samples.tokens[first_output + i];
    if (sampled.token < 0) {
      throw Error(
          ErrorCode::kNotANumber,
          "the model's output for this request is not a number; its weights are probably damaged");
    }
    if (request.kind == RequestKind::kGenerate)
      return accept_token(sequence, samples, first_output + i, context_length, events);
    sequence->n_outputs++;
    if (request.kind == RequestKind::kScore) sequence->values.push_back(sampled.logprob);
    else append_row(logits, first_output + i, vocabulary, request.rows.size(), &sequence->values);
  }
  if (request.kind == RequestKind::kPrefill) {
    const bool whole = sequence->n_computed() + entry.tree.size() == sequence->n_prompt();
    return whole ? std::optional(FinishReason::kDone) : std::nullopt;
  }
  const size_t wanted =
      request.kind == RequestKind::kScore ? request.tokens.size() - 1 : request.rows.size();
  if (request.kind != RequestKind::kGenerate && static_cast<size_t>(sequence->n_outputs) == wanted)
    return FinishReason::kDone;
  return std::nullopt;
}

}  // namespace cachalot
