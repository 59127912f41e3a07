#include "engine/sampler.h"

#include <algorithm>

#include "base/error.h"

namespace cachalot {

namespace {

std::optional<FinishReason> accept_token(Sequence* sequence, const SampledToken& sampled,
                                         int context_length, StepEvents* events) {
  const Request& request = sequence->request;
  if (sequence->n_generated() == 0) sequence->first_token = Clock::now();
  sequence->tokens.push_back(sampled.token);
  events->tokens.push_back({request.id, sampled.token, sampled.logprob});
  const auto& stops = request.stop_tokens;
  if (std::find(stops.begin(), stops.end(), sampled.token) != stops.end())
    return FinishReason::kStop;
  const bool full = static_cast<int>(sequence->tokens.size()) >= context_length;
  if (full || sequence->n_generated() >= request.max_tokens) return FinishReason::kLength;
  return std::nullopt;
}

}  // namespace

std::vector<SampleRow> sample_rows(const Step& step) {
  std::vector<SampleRow> rows;
  for (const auto& entry : step.entries) {
    const Sequence& sequence = *entry.sequence;
    for (const int node : entry.output_nodes) {
      const int position =
          sequence.n_computed() + node;  // of the row; the token drawn stands one further
      SampleRow row{sequence.request.sampling.temperature, sequence.request.sampling.seed,
                    sequence.request.sampling.completion, position + 1, -1};
      if (sequence.request.kind == RequestKind::kScore)
        row.forced_token = sequence.tokens[static_cast<size_t>(position) + 1];
      rows.push_back(row);
    }
  }
  return rows;
}

std::optional<FinishReason> accept(const StepEntry& entry, const SampledToken* sampled,
                                   const float* logits, int vocabulary, int context_length,
                                   StepEvents* events) {
  Sequence* sequence = entry.sequence;
  const Request& request = sequence->request;
  for (size_t i = 0; i < entry.output_nodes.size(); i++) {
    if (sampled[i].token < 0) {
      throw Error(
          ErrorCode::kNotANumber,
          "the model's output for this request is not a number; its weights are probably damaged");
    }
    if (request.kind == RequestKind::kGenerate)
      return accept_token(sequence, sampled[i], context_length, events);
    sequence->n_outputs++;
    if (request.kind == RequestKind::kScore) sequence->values.push_back(sampled[i].logprob);
    else
      sequence->values.insert(sequence->values.end(), logits + i * static_cast<size_t>(vocabulary),
                              logits + (i + 1) * static_cast<size_t>(vocabulary));
  }
  const size_t wanted =
      request.kind == RequestKind::kScore ? request.tokens.size() - 1 : request.rows.size();
  if (request.kind != RequestKind::kGenerate && static_cast<size_t>(sequence->n_outputs) == wanted)
    return FinishReason::kDone;
  return std::nullopt;
}

}  // namespace cachalot
