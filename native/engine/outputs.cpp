#include "engine/outputs.h"

#include <algorithm>

#include "base/error.h"
#include "sampling/logit_edits.h"
#include "sampling/sample_row.h"

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
                                         StepEvents* events) {
  ActiveRequest& active = *sequence->request;
  const SampledToken& sampled = samples.tokens[output];
  if (sequence->n_generated() == 0) active.first_token = Clock::now();
  sequence->append(sampled.token);
  events->tokens.push_back({sequence->id, sampled.token, sampled.logprob,
                            likeliest(samples, output, active.request.sampling.n_top)});
  const auto& stops = active.request.stop_tokens;
  if (std::find(stops.begin(), stops.end(), sampled.token) != stops.end())
    return FinishReason::kStop;
  const bool is_full = static_cast<int>(sequence->tokens.size()) >= sequence->max_length;
  if (is_full || sequence->n_generated() >= sequence->demand.max_tokens())
    return FinishReason::kLength;
  return std::nullopt;
}

void append_row(const float* row, int vocabulary, size_t n_rows, std::vector<float>* values) {
  if (values->empty()) values->reserve(n_rows * static_cast<size_t>(vocabulary));  // not twice that
  values->insert(values->end(), row, row + vocabulary);
}

}  // namespace

SamplePlan plan_samples(const Step& step) {
  SamplePlan plan;
  for (const auto& entry : step.entries) {
    const Sequence& sequence = *entry.sequence;
    const SamplingOptions& options = sequence.request->request.sampling;
    const auto first = static_cast<size_t>(entry.first_output);
    for (const int32_t output_row :
         std::span(step.output_rows).subspan(first, static_cast<size_t>(entry.n_outputs))) {
      // Of its text: the token to draw.
      const int next = sequence.n_computed() + output_row - entry.first_row + 1;
      SampleRow row = sample_row(options, sequence.context->position_of(next));
      if (sequence.demand.output() == OutputKind::kLogprob)
        row.forced_token = sequence.own_text().tokens[static_cast<size_t>(next)];
      if (options.has_edits()) {
        const auto edits = logit_edits(options, sequence.tokens, sequence.n_prompt);
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

std::optional<FinishReason> accept_outputs(const StepEntry& entry, const Samples& samples,
                                           const float* logits, int vocabulary,
                                           StepEvents* events) {
  Sequence* sequence = entry.sequence;
  Demand& demand = sequence->demand;
  std::vector<float>& values = sequence->request->values;
  for (int i = 0; i < entry.n_outputs; i++) {
    const auto output = static_cast<size_t>(entry.first_output + i);
    const SampledToken& sampled = samples.tokens[output];
    if (sampled.token < 0) {
      throw Error(
          ErrorCode::kNotANumber,
          "the model's output for this request is not a number; its weights are probably damaged");
    }
    switch (demand.output()) {
      case OutputKind::kToken: return accept_token(sequence, samples, output, events);
      case OutputKind::kLogprob: values.push_back(sampled.logprob); break;
      case OutputKind::kLogits:
        append_row(logits + output * static_cast<size_t>(vocabulary), vocabulary, demand.n_rows(),
                   &values);
        break;
    }
    demand.deliver();
  }
  if (sequence->computing != nullptr) return std::nullopt;  // its own text comes later
  const bool is_done =
      sequence->text_begin + sequence->n_computed() + entry.n_rows == demand.n_compute();
  return is_done ? std::optional(FinishReason::kDone) : std::nullopt;
}

}  // namespace cachalot
